"""The rule that an interview writes: what was said so far, the tests that follow from it, and the file at last."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML

from contracts import ConfigurationError, Layer, Level, PlaceTree, Procedure, SignCatalogue

from .cells import ANYTHING, Interval
from .compiled import compile_rules
from .formatting import format_document
from .loading import check_text
from .network import net_strength
from .ruleset import RuleSet
from .trials import play

_STEP = 0.01
_MINUTE_MS = 60_000
_CERTAIN = 0.99
"""The forecast that tests give: not quite certain."""


@dataclass(frozen=True, slots=True)
class Written:
    """A rule file that an interview wrote.

    Attributes:
        text: the file in canonical form.
        rule: id of the rule.
        level: the level reached when every sign and cause is there; None if the rule alone never warns.
        probability: of the risk then.
        usual: probability of the risk while nothing is known.
    """

    text: str
    rule: str
    level: Level | None
    probability: float
    usual: float


@dataclass(slots=True)
class Draft:
    """What was said so far.

    Attributes:
        rule: the simple keys of the file.
        signs, laws, causes, inhibits, levels: its sections.
        tests: of single conditions.
        forecasts: names of causes that a forecast tells.
        alarmed: entry → value while everything is out of order.
        quiet: source → the values at which nothing about it is out of order.
        soothing: entry of an inhibitor → value at which it is there.
        minutes: how long the longest hold takes to be fulfilled.
        intervals_ms: source → time between readings.
        places: where all signs so far are measured; None while any place will do.
    """

    rule: dict[str, Any] = field(default_factory=dict)
    signs: dict[str, Any] = field(default_factory=dict)
    laws: dict[str, Any] = field(default_factory=dict)
    causes: dict[str, Any] = field(default_factory=dict)
    inhibits: dict[str, Any] = field(default_factory=dict)
    levels: dict[str, Any] = field(default_factory=dict)
    tests: list[dict[str, Any]] = field(default_factory=list)
    forecasts: list[str] = field(default_factory=list)
    alarmed: dict[str, float] = field(default_factory=dict)
    quiet: dict[str, Interval] = field(default_factory=dict)
    soothing: dict[str, float] = field(default_factory=dict)
    minutes: int = 0
    intervals_ms: dict[str, int] = field(default_factory=dict)
    places: list[str] | None = None

    def meets(self, at: Iterable[str]) -> bool:
        """Return whether signs at these places can join those named before; a single one serves every place."""
        listed = list(at)
        return len(listed) == 1 or self.places is None or not set(self.places).isdisjoint(listed)

    def narrow(self, at: Iterable[str]) -> None:
        """Keep to places where signs of a dimension are measured."""
        listed = list(at)
        if len(listed) > 1:
            self.places = listed if self.places is None else [place for place in self.places if place in listed]

    def quiet_beside(self, source: str, operator: str, threshold: float) -> Interval | None:
        """Return the values of a source that are out of order neither before nor by this comparison; None for none."""
        outside = {
            "<": Interval(low=threshold, low_in=True),
            "<=": Interval(low=threshold),
            ">": Interval(high=threshold, high_in=True),
            ">=": Interval(high=threshold),
        }[operator]
        return self.quiet.get(source, ANYTHING).meet(outside)

    def add_condition(
        self,
        name: str,
        entry: dict[str, Any],
        operator: str,
        threshold: float,
        hold_ms: int = 0,
        *,
        soothes: bool = False,
    ) -> None:
        """Add an entry that compares, with a positive, a negative and a boundary test of it.

        Args:
            name: of the entry.
            entry: as the file says it.
            operator: of its comparison.
            threshold: in the sign's unit.
            hold_ms: how long it must hold.
            soothes: whether it holds the risk off instead of showing it.
        """
        inside = _rounded(threshold + (1 if ">" in operator else -1) * max(abs(threshold), 1.0) * _STEP)
        outside = _rounded(2 * threshold - inside)
        interval_ms = self.intervals_ms[entry["source"]]
        self.signs[name] = entry
        self.alarmed[name] = outside if soothes else inside
        if soothes:
            self.soothing[name] = inside
        else:
            self.quiet[entry["source"]] = self.quiet_beside(entry["source"], operator, threshold) or ANYTHING
        expected = f"law.{entry['law']}" if "law" in entry else f"fact.{name}"
        edge = "expect" if "=" in operator else "expect_not"
        held = math.ceil(math.ceil(hold_ms / interval_ms) * interval_ms / _MINUTE_MS) if hold_ms else 0
        long = {"minutes": held} if held else {}
        self.minutes = max(self.minutes, held)
        self.tests += [
            {"given": {name: inside, **long}, "expect": expected},
            {"given": {name: outside, **long}, "expect_not": expected},
            {"given": {name: threshold, **long}, edge: expected, "kind": "boundary"},
        ]
        if hold_ms:
            short_ms = (math.ceil(hold_ms / interval_ms) - 1) * interval_ms
            short = {"minutes": math.floor(short_ms / _MINUTE_MS * 100) / 100} if short_ms >= _MINUTE_MS else {}
            self.tests.append({"given": {name: inside, **short}, "expect_not": expected, "kind": "boundary"})

    def add_forecast(self, name: str, source: str, operator: str, quantity: str | float) -> None:
        """Add a cause that a forecast tells: the probability that the sign will pass the quantity."""
        direction = "high" if ">" in operator else "low"
        self.signs[name] = {"source": source, "use": "prior", "at": quantity, "direction": direction}
        self.forecasts.append(name)
        self.alarmed[name] = _CERTAIN

    def calm(self) -> dict[str, float]:
        """Return entry → value while nothing is out of order; entries that read one source say the same."""
        found = {}
        for name, entry in self.signs.items():
            if name in self.soothing and entry["source"] not in self.quiet:
                found[name] = self.soothing[name]
            elif name not in self.forecasts:
                found[name] = _rounded(self.quiet[entry["source"]].point())
        return found

    def usual_probability(self) -> float:
        """Return the probability of the risk while nothing is known."""
        leak = _share(self.rule["leak"])
        quiet: float = 1 - leak
        for cause in self.causes.values():
            quiet *= 1 - _share(cause["prior"]) * net_strength(_share(cause), leak)
        stopped: float = math.prod(
            1 - _share(one["prior"]) * one["stops"] / one["of"] for one in self.inhibits.values()
        )
        return (1 - quiet) * stopped

    def text(self, tests: list[dict[str, Any]]) -> str:
        """Return the rule file in canonical form."""
        sections = {"signs": self.signs, "laws": self.laws, "causes": self.causes, "inhibits": self.inhibits}
        where = {"at": self.places} if self.places is not None else {}
        filled = {key: section for key, section in sections.items() if section}
        buffer = io.StringIO()
        writer = YAML()
        writer.allow_unicode = True
        writer.width = 10_000
        writer.dump({**self.rule, **where, **filled, "levels": self.levels, "tests": tests}, buffer)
        formatted = format_document("interview", buffer.getvalue(), [])
        if formatted is None:
            raise AssertionError  # what a YAML writer wrote can be read
        return formatted


def write_rule(
    draft: Draft,
    signs: SignCatalogue,
    places: PlaceTree,
    procedures: Mapping[str, Procedure],
    *,
    timezone: str,
) -> Written:
    """Return the file of a finished draft, with tests of what it says when everything or nothing is out of order.

    Raises:
        ConfigurationError: if the check refuses what was said; every problem is listed.
    """
    report = check_text("interview", draft.text(draft.tests), signs, places, procedures, timezone=timezone)
    if report.ruleset is None:
        title = "The rule of the interview"
        raise ConfigurationError(title, report.problems)
    tests = list(draft.tests)
    long = {"minutes": draft.minutes} if draft.minutes else {}
    level, probability = _played(report.ruleset, {**draft.alarmed, **long})
    if level is not None:
        tests.insert(0, {"given": {**draft.alarmed, **long}, "expect": str(level)})
    for name in draft.forecasts:
        alone, _ = _played(report.ruleset, {name: _CERTAIN})
        tests.append({"given": {name: _CERTAIN}, "expect": str(alone or "none")})
    calm = {**draft.calm(), **long}
    if _stays_calm(report.ruleset, calm):
        tests.append({"given": calm, "expect": "none"})
    return Written(draft.text(tests), draft.rule["id"], level, probability, draft.usual_probability())


def _played(ruleset: RuleSet, given: Mapping[str, Any]) -> tuple[Level | None, float]:
    """Return the level of the experience layer, and the probability."""
    _, assessments = play(compile_rules(ruleset), ruleset.rules[0], given)
    (found,) = [one for one in assessments if one.layer is Layer.EXPERIENCE]
    return found.level, found.probability or 0.0


def _stays_calm(ruleset: RuleSet, given: Mapping[str, Any]) -> bool:
    """Return whether nothing comes; where two inhibitors share a sign, both cannot be there at once."""
    _, assessments = play(compile_rules(ruleset), ruleset.rules[0], given)
    return all(found.level is None for found in assessments)


def _share(frequency: Mapping[str, float]) -> float:
    return frequency["yes"] / frequency["of"]


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")
