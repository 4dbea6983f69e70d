"""Rules over a long past and very many places: the episodes that live rules would have opened, to the last digit.

Unlike :func:`operations.backtest`, which runs the whole engine, this one asks no forecaster: what models brought is
handed in as it was archived. Probabilities come from a sweep over all places at once; only cases near a bar, and those
with an open episode, pass the desk, which is the runtime's own. Explanations and health episodes are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts import Episode, Incident, Layer, Level, PlaceTree, Sign
from early_warning import Desk, Ruling, WarningPolicy
from knowledge_graph import CompiledRules, Rule, RuleSweep, Swept

Floats = NDArray[np.float64]
MS = 1000
BLOCK = 168
"""Instants taken at once: a week of hours."""
_NEVER = np.iinfo(np.int64).min // 2


@dataclass(frozen=True, slots=True)
class Past:
    """What was known, in event time.

    Attributes:
        times_ms: instants, rising.
        readings: sign → usable readings at these instants, NaN where none came, shape ``(time,)``.
        evidence: (node, place) → exceedance probability or likelihood ratio that a model brought at the instant.
    """

    times_ms: NDArray[np.int64]
    readings: Mapping[str, Floats]
    evidence: Mapping[tuple[str, str], Floats] = field(default_factory=dict)


@dataclass(slots=True)
class RuleBacktest:
    """What came of it.

    Attributes:
        times_ms: the instants.
        places: risk → its places.
        probability: risk → probability at every instant and place, float32 for keeping, shape ``(time, places)``.
        episodes: by id, as they stand at the end.
        incidents: by id.
    """

    times_ms: NDArray[np.int64]
    places: dict[str, tuple[str, ...]] = field(default_factory=dict)
    probability: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)


def backtest_rules(
    rules: CompiledRules,
    places: PlaceTree,
    past: Past,
    policy: WarningPolicy | None = None,
    *,
    decide_from_ms: int | None = None,
) -> RuleBacktest:
    """Run rules over a past.

    Args:
        rules: compiled.
        places: the place tree, for incidents and budgets.
        past: what was known.
        policy: the engine's choices: budget, release, incidents.
        decide_from_ms: timers run before it, but nothing opens.

    Raises:
        KnowledgeError: if a rule cannot be swept, or evidence contradicts itself.
    """
    chosen = policy or WarningPolicy()
    risks = [_Risk(rules, risk, past, chosen.release) for risk in rules.templates]
    order = {place: index for index, place in enumerate(rules.places)}
    desk = Desk(places, chosen)
    found = RuleBacktest(past.times_ms, {risk.rule.id: risk.sweep.places for risk in risks})
    found.probability = {
        risk.rule.id: np.empty((past.times_ms.size, len(risk.sweep.places)), np.float32) for risk in risks
    }
    for start in range(0, past.times_ms.size, BLOCK):
        part = slice(start, min(start + BLOCK, past.times_ms.size))
        for risk in risks:
            risk.advance(part)
            found.probability[risk.rule.id][part] = risk.swept.probability
        for step, time_ms in enumerate(past.times_ms[part].tolist()):
            if decide_from_ms is None or time_ms >= decide_from_ms:
                _decide(desk, risks, order, step, time_ms)
            changes = desk.take_changes(time_ms)
            found.episodes |= {episode.id: episode for episode in changes.episodes}
            found.incidents |= {incident.id: incident for incident in changes.incidents}
    return found


def sweep_states(
    rules: CompiledRules, risk: str, past: Past, steps: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[dict[str, NDArray[np.int8]], dict[str, Floats]]:
    """Return what was said of some cases of a rule.

    Args:
        rules: compiled.
        risk: id of the rule.
        past: what was known.
        steps: instant of each case, shape ``(cases,)``.
        columns: place of each case, shape ``(cases,)``.

    Returns:
        Entry → -1 nothing, 0 not so, 1 so; and entry that a model brings → what it brought, NaN for nothing.
    """
    one = _Risk(rules, risk, past, 1.0)
    places = one.sweep.places
    said = {name: np.full(steps.size, -1, np.int8) for name in one.rule.conditions}
    for start in range(0, past.times_ms.size, BLOCK):
        part = slice(start, min(start + BLOCK, past.times_ms.size))
        one.advance(part)
        inside = np.flatnonzero((steps >= part.start) & (steps < part.stop))
        for name, states in said.items():
            states[inside] = one.swept.said[name][steps[inside] - start, columns[inside]]
    evidence = {}
    for name in one.rule.brought:
        series = [past.evidence.get((one.rule.node(name), places[column])) for column in columns.tolist()]
        evidence[name] = np.array(
            [np.nan if told is None else told[step] for told, step in zip(series, steps.tolist(), strict=True)]
        )
    return said, evidence


def _decide(desk: Desk, risks: Sequence[_Risk], order: Mapping[str, int], step: int, time_ms: int) -> None:
    """Pass every case that can matter by the desk, in the order that the engine would."""
    cases = [
        (order[risk.sweep.places[column]], number, position, law, risk, column)
        for number, risk in enumerate(risks)
        for position, law, column in risk.cases(desk, step)
    ]
    for _, _, _, law, risk, column in sorted(cases, key=lambda case: case[:3]):
        ruling = risk.ruling(desk, law, column, step=step, time_ms=time_ms)
        if ruling is not None:
            desk.rule(ruling, time_ms)


class _Risk:
    """One rule being swept."""

    def __init__(self, rules: CompiledRules, risk: str, past: Past, release: float) -> None:
        self.rule: Rule = rules.templates[risk].rule
        self.sweep: RuleSweep = rules.sweep(risk)
        self._past = past
        self._bars = self.rule.bars
        self._lowest = min(self._bars.values())
        self._release = release
        self._laws = self.rule.law_names
        self._columns = {place: index for index, place in enumerate(self.sweep.places)}
        self._readings = {name: self._signs(name) for name in self.sweep.conditions}
        self._hearing = {sign: _Hearing(rules.ruleset.signs[sign], past) for sign in self._all_signs()}
        self.swept: Swept
        self._near: list[NDArray[np.intp]] = []

    def advance(self, part: slice) -> None:
        """Sweep the next block."""
        past, shape = self._past, (part.stop - part.start, len(self.sweep.places))
        readings = {
            name: _stack([past.readings.get(sign or "") for sign in signs], part, shape)
            for name, signs in self._readings.items()
        }
        nodes = {name: self.rule.node(name) for name in self.rule.brought}
        evidence = {
            name: _stack([past.evidence.get((node, place)) for place in self.sweep.places], part, shape)
            for name, node in nodes.items()
        }
        self.swept = self.sweep.advance(past.times_ms[part].tolist(), readings, evidence)
        with np.errstate(invalid="ignore"):
            self._near = [np.flatnonzero(row > self._lowest) for row in self.swept.probability]
        self._start = part.start

    def cases(self, desk: Desk, step: int) -> Iterator[tuple[int, str, int]]:
        """Yield position, law (empty for the risk itself) and column of every case that the desk has to hear of."""
        columns = {int(column) for column in self._near[step]}
        columns |= self._standing(desk, Layer.EXPERIENCE, self.rule.id)
        yield from ((0, "", column) for column in columns)
        for position, law in enumerate(self._laws, start=1):
            fired = {int(column) for column in np.flatnonzero(self.swept.laws[law][step])}
            fired |= self._standing(desk, Layer.STATUTORY, f"{self.rule.id}.{law}")
            yield from ((position, law, column) for column in fired)

    def _standing(self, desk: Desk, layer: Layer, risk: str) -> set[int]:
        return {self._columns[episode.place] for episode in desk.standing(layer).values() if episode.risk == risk}

    def ruling(self, desk: Desk, law: str, column: int, *, step: int, time_ms: int) -> Ruling | None:
        """Return what the engine would rule; None on a day that the rule does not apply."""
        probability, place = float(self.swept.probability[step, column]), self.sweep.places[column]
        if np.isnan(probability):
            return None
        risk = f"{self.rule.id}.{law}" if law else self.rule.id
        layer = Layer.STATUTORY if law else Layer.EXPERIENCE
        words = self.rule.words.laws.get(law)
        level, note = None, ""
        if law:
            fired = bool(self.swept.laws[law][step, column])
            level = (words.level if words is not None else Level.RED) if fired else None
        else:
            doublings = desk.doublings(time_ms, risk, place)
            level = desk.level(f"{risk}@{place}", probability, dict(self._bars), doublings)
            note = f"the alarm budget asked for odds doubled {doublings} times" if doublings and level else ""
        signs = self._spoke(law, column, step)
        standing = desk.standing(layer).get(f"{risk}@{place}")
        watched = standing.signs if standing is not None else signs
        return Ruling(
            risk=risk,
            place=place,
            layer=layer,
            cause=self.rule.words.cause or self.rule.id,
            title=(words.title if words is not None else None) or self.rule.title,
            level=level,
            signs=signs,
            quiet_s=self.rule.quiet_ms // MS,
            probability=None if law else probability,
            procedure=self.rule.laws.get(law, self.rule.procedure),
            note=note,
            blind=bool(watched) and all(self._hearing[sign].is_blind(self._start + step) for sign in watched),
        )

    def _spoke(self, law: str, column: int, step: int) -> tuple[str, ...]:
        said = {name: int(array[step, column]) for name, array in self.swept.said.items()}
        place = self.sweep.places[column]
        if not law:
            return self.sweep.spoke(said, place)
        names = [name for name, state in said.items() if state == 1 and self.rule.words.signs[name].law == law]
        return tuple(sorted({sign for name in names if (sign := self.rule.sign_at(place, name)) is not None}))

    def _signs(self, name: str) -> list[str | None]:
        return [self.rule.signs.get((place, name)) for place in self.sweep.places]

    def _all_signs(self) -> Iterable[str]:
        return dict.fromkeys(self.rule.signs.values())


class _Hearing:
    """When a sign was heard, so that quiet is not believed where it is blind."""

    def __init__(self, sign: Sign, past: Past) -> None:
        values = past.readings.get(sign.id)
        heard = np.isfinite(values) if values is not None else np.zeros(past.times_ms.size, bool)
        last = np.maximum.accumulate(np.where(heard, past.times_ms, _NEVER))
        self._blind = (last != _NEVER) & (last <= past.times_ms - sign.blind_after_s * MS)

    def is_blind(self, index: int) -> bool:
        """Return whether it was heard before, but not lately."""
        return bool(self._blind[index])


def _stack(series: Sequence[Floats | None], part: slice, shape: tuple[int, int]) -> Floats:
    block = np.full(shape, np.nan)
    for column, values in enumerate(series):
        if values is not None:
            block[:, column] = values[part]
    return block
