"""From words to meaning: names looked up, units converted, durations read, one problem for each that fails."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from contracts import PlaceTree, Problem, Procedure, SignCatalogue

from .authoring import RuleWords, SignWords
from .decisions import Spread, spread_tables
from .documents import Document, Location
from .quantities import parse_duration, parse_quantity
from .ruleset import Brought, Condition, Rule
from .thresholds import Threshold

_WHEN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_.\-]{0,127})\s*(<=|>=|<|>)\s*(\S.*?)\s*")
_CLOCK = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TRANSFORMS = ("rise_per", "drop_per", "night", "stuck", "absent", "sequence", "every")
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What rules may refer to, and the day that their dates are held against; None for no such advice."""

    signs: SignCatalogue
    places: PlaceTree
    procedures: Mapping[str, Procedure]
    today: date | None = None


def resolve_rule(
    words: RuleWords,
    document: Document,
    surroundings: Surroundings,
    thresholds: list[Threshold],
    problems: list[Problem],
) -> Rule | None:
    """Resolve one rule; append a problem for each name, unit or duration that fails."""
    return _Resolver(words, document, surroundings, problems).resolve(thresholds)


@dataclass(slots=True)
class _Resolver:
    words: RuleWords
    document: Document
    surroundings: Surroundings
    problems: list[Problem]
    units: dict[str, str] = field(default_factory=dict)
    homes: dict[str, Location] = field(default_factory=dict)
    spread: Spread = field(default_factory=lambda: Spread({}, {}, frozenset()))

    def resolve(self, thresholds: list[Threshold]) -> Rule | None:
        entries = self._entries()
        signs_of = {name: self._signs_of(name, entry) for name, entry in entries.items()}
        places = self._places(signs_of)
        horizon_ms = self._try(("horizon",), lambda: parse_duration(self.words.horizon)) or 0
        conditions = {
            n: self._condition(n, e) for n, e in entries.items() if e.brought is None and n not in self.spread.inputs
        }
        brought = {n: self._brought(n, e, horizon_ms) for n, e in entries.items() if e.brought is not None}
        quiet_ms = self._try(("quiet",), lambda: parse_duration(self.words.quiet)) or 0
        procedure = self._procedure(("do",), self.words.do)
        laws = {
            law: self._procedure(("laws", law, "do"), spec.do or self.words.do) for law, spec in self.words.laws.items()
        }
        at_place = {
            (place, name): found[place] for name, found in signs_of.items() for place in places if place in found
        }
        differing = self._differing(thresholds, places, conditions)
        if procedure is None or any(found is None for found in laws.values()):
            return None
        return Rule(
            words=self.words.model_copy(update={"signs": entries}),
            file=self.document.name,
            places=places,
            signs=at_place,
            conditions=conditions,
            brought=brought,
            thresholds=differing,
            horizon_ms=horizon_ms,
            quiet_ms=quiet_ms,
            procedure=procedure,
            laws={law: found for law, found in laws.items() if found is not None},
            tables=self.spread.tables,
            derived=frozenset(entries) - frozenset(self.words.signs),
        )

    def _entries(self) -> dict[str, SignWords]:
        """Return the entries under ``signs`` and those that a ``when`` stands for."""
        self.spread = spread_tables(self.words, self.document, self.surroundings.signs, self.problems)
        entries = {**self.words.signs, **self.spread.entries}
        for name in set(self.words.signs) & set(self.spread.entries):
            self._report(("signs", name), f"{name!r} is also a row of a table.", "Give the entry another name.")
        for section, named in (("causes", self.words.causes), ("inhibits", self.words.inhibits)):
            for name, words in named.items():
                if words.when is None:
                    continue
                location: Location = (section, name, "when")
                match = _WHEN.fullmatch(words.when)
                if name in entries:
                    self._report(location, f"{name!r} also stands under signs.", "Keep one of the two.")
                elif match is None:
                    self._report(location, f"{words.when!r} is no condition.", "Write it like 'tide_m >= 4.55'.")
                else:
                    self.homes[name] = location
                    entries[name] = SignWords.model_validate({"source": match[1], match[2]: match[3]})
        return entries

    def _signs_of(self, name: str, entry: SignWords) -> dict[str, str]:
        """Return place → sign of an entry: one sign, or each place's own sign of a dimension."""
        if entry.source is None:
            if entry.sequence is None and entry.every is None:
                self._report(self._home(name), f"{name!r} names no source.", "Add 'source:' with the id of a sign.")
            return {}
        catalogue = self.surroundings.signs
        found = [catalogue[entry.source]] if entry.source in catalogue else []
        found = found or [sign for sign in catalogue if sign.dimension == entry.source]
        if not found:
            known = ", ".join(sorted(sign.id for sign in catalogue)[:5])
            message = f"the sign {entry.source!r} is unknown."
            self._report((*self._home(name), "source"), message, f"Add it to signs.csv, or use one of: {known}.")
            return {}
        units = {sign.unit for sign in found}
        if len(units) > 1:
            message = f"signs of the dimension {entry.source!r} have the units {sorted(units)}."
            self._report((*self._home(name), "source"), message, "Give all signs of a dimension one unit.")
        self.units[name] = found[0].unit
        by_place: dict[str, str] = {}
        for sign in found:
            if sign.place in by_place:
                message = f"{sign.place} has the signs {by_place[sign.place]} and {sign.id} of {entry.source!r}."
                self._report((*self._home(name), "source"), message, "Name the sign instead of the dimension.")
            by_place[sign.place] = sign.id
        return by_place

    def _places(self, signs_of: dict[str, dict[str, str]]) -> tuple[str, ...]:
        """Return the rule's places; a sign named by its id serves all of them."""
        if self.words.at is not None:
            for index, place in enumerate(self.words.at):
                if place not in self.surroundings.places:
                    self._report(("at", index), f"the place {place!r} is unknown.", "Add it to places.csv.")
            places = tuple(dict.fromkeys(self.words.at))
        else:
            places = tuple(dict.fromkeys(place for found in signs_of.values() for place in found))
        if not places:
            self._report((), "applies to no place.", "Add 'at:' with places, or signs that have one.")
        for found in signs_of.values():
            if len(found) == 1:
                (sign,) = found.values()
                found.update({place: sign for place in places if place not in found})
        return places

    def _condition(self, name: str, entry: SignWords) -> Condition:
        where: Location = self._home(name)
        unit = self.units.get(name, "")
        used = [transform for transform in _TRANSFORMS if getattr(entry, transform) is not None]
        compared = entry.comparison
        if len(used) > 1:
            self._report(where, f"{name!r} mixes {' and '.join(used)}.", "Make an entry for each.")
        transform = used[0] if used else "value"
        bare = transform in {"stuck", "absent", "sequence", "every"}
        if compared is None and not bare:
            self._report(where, f"{name!r} compares with nothing.", "Add one of '<', '<=', '>', '>=' or 'use:'.")
        if compared is not None and bare:
            self._report(where, f"{transform!r} takes no comparison.", f"Remove {compared[0]!r}.")
        self._check_counting(name, entry)
        sign, threshold = compared or ("", 0.0)
        value = self._quantity((*where, sign), threshold, unit)
        clear = None if entry.clear is None else self._quantity((*where, "clear"), entry.clear, unit)
        if clear is not None and sign and COMPARE[sign](clear, value) and clear != value:
            message = f"clear {entry.clear!r} lies on the alarming side of {threshold!r}."
            self._report((*where, "clear"), message, "Put it beyond the threshold, on the quiet side.")
        return Condition(
            name=name,
            source=entry.source or "",
            unit=unit,
            operator=sign,
            threshold=value,
            clear=clear,
            transform=transform.removesuffix("_per"),
            window_ms=self._window(where, transform, entry),
            tolerance=self._quantity((*where, "tolerance"), entry.tolerance, unit),
            steps=self._steps(where, entry),
            unless=entry.unless,
            hold_ms=self._duration((*where, "for"), entry.holds),
            count=entry.count or 0,
            within_ms=self._duration((*where, "within"), entry.within),
            night=self._clock((*where, "night"), entry.night),
            hours=self._clock((*where, "hours"), entry.hours),
            season=self._season((*where, "season"), entry.season),
        )

    def _check_counting(self, name: str, entry: SignWords) -> None:
        where: Location = self._home(name)
        if (entry.count is None) != (entry.within is None) and entry.sequence is None:
            self._report(
                where, f"{name!r} has only one of count and within.", "Give both, such as count: 3, within: 7d."
            )
        if entry.sequence is not None and entry.within is None:
            self._report(where, f"the sequence {name!r} has no 'within'.", "Say within which time it must come.")
        if entry.count is not None and entry.holds is not None:
            self._report(where, f"{name!r} has both count and for.", "Make an entry for each.")

    def _steps(self, where: Location, entry: SignWords) -> tuple[str, ...]:
        names = {**self.words.signs, **self.spread.entries}
        for key, steps in (("sequence", entry.sequence), ("all", entry.every), ("unless", entry.unless)):
            for step in steps or ():
                other = names.get(step)
                nested = other is not None and (
                    other.sequence is not None or (other.every is not None and key != "unless")
                )
                if other is None or other.brought is not None or nested or step in self.spread.inputs:
                    message = f"{step!r} is no condition of this rule."
                    self._report((*where, key), message, "Name entries under signs that hold a condition.")
                elif other.every is not None and list(names).index(step) >= list(names).index(str(where[-1])):
                    message = f"{step!r} stands below {where[-1]!r}, which needs it first."
                    self._report((*where, key), message, "Move it above.")
        if entry.unless and entry.every is None:
            self._report((*where, "unless"), "'unless' stands alone.", "Say 'all:' with what must hold.")
        return entry.sequence or entry.every or ()

    def _window(self, where: Location, transform: str, entry: SignWords) -> int:
        if transform not in {"rise_per", "drop_per", "stuck", "absent"}:
            return 0
        window = self._duration((*where, transform), getattr(entry, transform))
        if window == 0:
            self._report((*where, transform), f"{transform} needs a time above zero.", "Write it like '1h'.")
        return window

    def _brought(self, name: str, entry: SignWords, horizon_ms: int) -> Brought:
        where: Location = self._home(name)
        use = entry.brought or ""
        level = None
        if use == "prior":
            if entry.at is None:
                self._report(
                    where, f"{name!r} says no level.", "Add 'at:' with the level whose exceedance is forecast."
                )
            else:
                level = self._quantity((*where, "at"), entry.at, self.units.get(name, ""))
            if name not in self.words.causes and name not in self.words.inhibits:
                message = f"{name!r} sets a prior, but is no cause."
                self._report(where, message, f"Add {name!r} under causes, with its frequency.")
        if entry.comparison is not None:
            self._report(where, f"{name!r} has both 'use' and a comparison.", "Make an entry for each.")
        horizon = self._duration((*where, "horizon"), entry.horizon) or horizon_ms
        return Brought(name, entry.source or "", use, level, entry.direction, horizon)

    def _differing(
        self, thresholds: list[Threshold], places: tuple[str, ...], conditions: Mapping[str, Condition]
    ) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        for row in thresholds:
            condition = conditions.get(row.name)
            if row.place not in places:
                message, remedy = (
                    f"the rule does not apply to {row.place!r}.",
                    "Add the place to 'at:' or remove the row.",
                )
            elif condition is None or not condition.operator:
                message, remedy = f"{row.name!r} compares with no threshold.", "Remove the row."
            else:
                try:
                    found[row.place, row.name] = parse_quantity(row.value, condition.unit)
                    continue
                except ValueError as exc:
                    message, remedy = f"{exc}.", f"Write it in {condition.unit}."
            self.problems.append(Problem(row.where, message, remedy))
        return found

    def _procedure(self, location: Location, name: str) -> Procedure | None:
        found = self.surroundings.procedures.get(name)
        if found is None:
            known = ", ".join(sorted(self.surroundings.procedures)[:8]) or "none"
            self._report(location, f"the procedure {name!r} is unknown.", f"Add it to procedures.yaml; known: {known}.")
        return found

    def _home(self, name: str) -> Location:
        """Return where an entry stands: under signs, or in the condition that it is short for."""
        return self.homes.get(name, ("signs", name))

    def _quantity(self, location: Location, text: str | float, unit: str) -> float:
        return self._try(location, lambda: parse_quantity(text, unit)) or 0.0

    def _duration(self, location: Location, text: str | None) -> int:
        return 0 if text is None else (self._try(location, lambda: parse_duration(text)) or 0)

    def _clock(self, location: Location, text: str | None) -> tuple[int, int] | None:
        match = _CLOCK.fullmatch(text or "")
        if match is None:
            return None
        first, last = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if first == last:
            self._report(location, f"{text!r} is empty.", "Let it begin and end at different times.")
        return first, last

    def _season(self, location: Location, text: str | None) -> tuple[tuple[int, int], tuple[int, int]] | None:
        if text is None:
            return None
        days = [(int(part[:2]), int(part[3:])) for part in text.split("..")]
        for month, day in days:
            if not 1 <= month <= 12 or not 1 <= day <= _DAYS_IN_MONTH[month - 1]:  # noqa: PLR2004 - months
                self._report(location, f"{text!r} holds no such day.", "Write it like '06-01..09-30'.")
        return days[0], days[1]

    def _try(self, location: Location, read: Callable[[], _Value]) -> _Value | None:
        try:
            return read()
        except ValueError as exc:
            self._report(location, f"{exc}.", "Correct the number or its unit.")
            return None

    def _report(self, location: Location, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.document.where(location), message, remedy))
