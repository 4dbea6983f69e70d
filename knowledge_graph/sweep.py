"""A rule over many places and instants at once: the probabilities of :meth:`CompiledRules.assess`, bit by bit.

For backtests. Temporal operators run over all places together (:mod:`knowledge_graph.sweeping`). Then cases are sorted
by what was said at all: each kind is judged once where only facts spoke, and in one batch where models brought numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from contracts import Evidence, EvidenceKind, KnowledgeError, Text

from .facts import Fact
from .reasoning import log_odds_of, probability_of
from .ruleset import Rule, RuleSet
from .statements import Statement, count_in_many, statement_of_evidence, statement_of_fact
from .sweeping import Answers, Floats, SweptCondition, SweptSequence, SweptTogether
from .templates import Template, group_of
from .watching import is_effective, local_date

_MAXIMUM_ENTRIES = 36
"""Entries of a rule; what was said of them is one number of three states each."""
_NOTHING = Text(zh="—", en="—")


@dataclass(frozen=True, slots=True)
class Swept:
    """What a rule says of its places over some instants.

    Attributes:
        probability: of the risk, shape ``(time, places)``; NaN on days that the rule does not apply.
        laws: law → whether it fired, same shape.
        said: entry → -1 nothing, 0 not so, 1 so, same shape; for evidence that a model brought 1 where it did.
    """

    probability: Floats
    laws: Mapping[str, NDArray[np.bool_]]
    said: Mapping[str, NDArray[np.int8]]


class RuleSweep:
    """One rule at all its places; blocks of instants are taken in order.

    Args:
        template: the rule, compiled.
        ruleset: the set it belongs to.

    Attributes:
        places: ids of the places, in the order of the arrays' last axis.
        conditions: names of the entries that need readings.

    Raises:
        KnowledgeError: if the rule has too many entries.
    """

    def __init__(self, template: Template, ruleset: RuleSet) -> None:
        rule = template.rule
        if len(rule.conditions) + len(rule.brought) > _MAXIMUM_ENTRIES:
            message = f"The rule {rule.id!r} has more than {_MAXIMUM_ENTRIES} entries. Split it to backtest it."
            raise KnowledgeError(message)
        self.template = template
        self.places = rule.places
        self._zone = ZoneInfo(ruleset.timezone)
        self._spoken: dict[tuple[tuple[str, int], ...], set[str]] = {}
        self._conditions: dict[str, SweptCondition] = {}
        self._sequences: dict[str, SweptSequence] = {}
        self._together: dict[str, SweptTogether] = {}
        for name, condition in rule.conditions.items():
            if condition.transform == "sequence":
                self._sequences[name] = SweptSequence(condition, len(rule.places))
            elif condition.transform == "every":
                self._together[name] = SweptTogether(condition, len(rule.places))
            else:
                self._conditions[name] = _swept(rule, name, ruleset, self._zone)
        self.conditions = tuple(self._conditions)

    def advance(
        self, times_ms: Sequence[int], readings: Mapping[str, Floats], evidence: Mapping[str, Floats] | None = None
    ) -> Swept:
        """Take a block of instants that follows the last one.

        Args:
            times_ms: event times.
            readings: entry with a condition → usable readings of its sign, NaN where none came, shape
                ``(time, places)``.
            evidence: entry that a model brings → exceedance probability or likelihood ratio, NaN where there is none.

        Raises:
            KnowledgeError: if an entry is unknown, or evidence cannot all be true.
        """
        evidence = evidence or {}
        rule, shape = self.template.rule, (len(times_ms), len(self.places))
        unknown = (readings.keys() - self._conditions.keys()) | (evidence.keys() - rule.brought.keys())
        if unknown or any(array.shape != shape for array in (*readings.values(), *evidence.values())):
            message = (
                f"Arrays of shape {shape} are needed for entries of {rule.id!r}; {sorted(unknown)} are none of it."
            )
            raise KnowledgeError(message)
        said = {name: np.full(shape, -1, np.int8) for name in rule.conditions}
        effective = np.array([is_effective(rule, local_date(time_ms, self._zone)) for time_ms in times_ms], bool)
        nothing = np.full(shape[1], np.nan)
        for step, time_ms in enumerate(times_ms):
            if not effective[step]:
                self._reset()
                continue
            heard = {name: readings[name][step] if name in readings else nothing for name in self._conditions}
            answers = self._answers(time_ms, heard)
            for name, answer in answers.items():
                said[name][step] = np.where(answer.known, answer.state, -1)
        brought = {name: np.isfinite(array) & effective[:, None] for name, array in evidence.items()}
        said |= {name: np.where(given, 1, -1).astype(np.int8) for name, given in brought.items()}
        probability = self._judge(said, evidence)
        probability[~effective] = np.nan
        laws: dict[str, NDArray[np.bool_]] = {}
        for name in rule.conditions:
            law = rule.words.signs[name].law
            if law is not None:
                laws[law] = laws.get(law, np.zeros(shape, bool)) | (said[name] == 1)
        return Swept(probability, laws, said)

    def _answers(self, time_ms: int, heard: Mapping[str, Floats]) -> dict[str, Answers]:
        answers = {name: condition.watch(time_ms, heard[name]) for name, condition in self._conditions.items()}
        for name, sequence in self._sequences.items():
            answers[name] = sequence.watch(time_ms, answers)
        for name, together in self._together.items():  # in the order written: later ones may exclude earlier ones
            answers[name] = together.watch(time_ms, answers)
        return answers

    def _reset(self) -> None:
        for condition in self._conditions.values():
            condition.reset()
        for sequence in self._sequences.values():
            sequence.reset()

    def spoke(self, said: Mapping[str, int], place: str) -> tuple[str, ...]:
        """Return the signs behind what was said of one case, as an assessment names them."""
        key = tuple(said.items())
        if key not in self._spoken:
            statements = self._prototypes(said, dict.fromkeys(said, 1.0))
            self._spoken[key] = {one.node.removeprefix(f"{self.template.rule.id}.") for one in statements}
        names = self._spoken[key]
        found = {self.template.rule.sign_at(place, name) for name in names}
        return tuple(sorted(sign for sign in found if sign is not None))

    def _judge(self, said: Mapping[str, NDArray[np.int8]], evidence: Mapping[str, Floats]) -> Floats:
        code = np.zeros(next(iter(said.values())).shape if said else (0, 0), np.int64)
        for array in said.values():
            code = code * 3 + (array + 1)
        flat = code.ravel()
        kinds, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
        probability = np.empty(flat.size)
        order = np.argsort(inverse, kind="stable")
        bounds = np.searchsorted(inverse[order], np.arange(len(kinds) + 1))
        for kind in range(len(kinds)):
            cases = order[bounds[kind] : bounds[kind + 1]]
            states = {name: int(array.ravel()[first[kind]]) for name, array in said.items()}
            numbers = {name: evidence[name].ravel()[cases] for name in evidence if states[name] == 1}
            probability[cases] = self._judge_kind(states, numbers, cases.size)
        return probability.reshape(code.shape)

    def _judge_kind(self, states: Mapping[str, int], numbers: Mapping[str, Floats], cases: int) -> Floats:
        """Judge all cases of one kind: the same entries spoke and, but for the numbers, said the same."""
        statements = self._prototypes(states, {name: float(array[0]) for name, array in numbers.items()})
        if not numbers:
            cases = 1
        vectors = [self._vector(statement, numbers) for statement in statements]
        alone = [log_odds_of(self.template, statements, vectors, (), cases)]
        alone += [log_odds_of(self.template, statements, vectors, (i,), cases) for i in range(len(statements))]
        effects = np.array(alone[1:]) - alone[0] if statements else np.zeros((0, cases))
        counted = count_in_many(statements, np.abs(effects))
        found = np.empty(cases)
        weights = np.int64(1) << np.arange(len(statements), dtype=np.int64)
        selections, inverse = np.unique(weights @ counted.astype(np.int64), return_inverse=True)
        for number, selection in enumerate(selections):
            chosen = np.flatnonzero(inverse == number)
            indices = tuple(i for i in range(len(statements)) if selection >> i & 1)
            own = [vector if vector.shape[1] == 1 else vector[:, chosen] for vector in vectors]
            found[chosen] = log_odds_of(self.template, statements, own, indices, chosen.size)
        return probability_of(found)

    def _prototypes(self, states: Mapping[str, int], numbers: Mapping[str, float]) -> list[Statement]:
        """Return the statements that live assessment would make of one case: facts first, then what models brought."""
        rule = self.template.rule
        place = self.places[0]  # stands for all: the same entries share a sign at every place
        found: list[Statement] = []
        for name in rule.conditions:
            if states.get(name, -1) >= 0:
                fact = _fact(rule, name, place, self._sign(name), state=states[name] == 1)
                statement = statement_of_fact(self.template, fact)
                if statement is not None:
                    found.append(statement)
        for name, brought in rule.brought.items():
            if states.get(name, -1) == 1:
                sign = self._sign(name)
                item = Evidence(
                    node=rule.node(name),
                    place=place,
                    kind=EvidenceKind.EXCEEDANCE if brought.use == "prior" else EvidenceKind.LIKELIHOOD,
                    value=numbers[name],
                    group=group_of(rule.words.signs[name], sign, rule.node(name)),
                    time_ms=0,
                    sign=sign,
                )
                found.append(statement_of_evidence(self.template, item, {}))
        return found

    def _sign(self, name: str) -> str | None:
        at = (self.template.rule.sign_at(place, name) for place in self.places)
        return next((sign for sign in at if sign is not None), None)

    def _vector(self, statement: Statement, numbers: Mapping[str, Floats]) -> Floats:
        """Return a statement's vector, shape ``(2, cases)``, or ``(2, 1)`` where all cases say the same."""
        values = numbers.get(statement.node.removeprefix(f"{self.template.rule.id}."))
        if values is None:
            return np.array(statement.vector)[:, None]
        if statement.evidence.kind is EvidenceKind.LIKELIHOOD:
            return np.stack([np.ones(values.size), values])
        return np.stack([1 - values, values])


def _swept(rule: Rule, name: str, ruleset: RuleSet, zone: ZoneInfo) -> SweptCondition:
    condition = rule.conditions[name]
    ids = [rule.signs.get((place, name)) for place in rule.places]
    signs = [None if sign is None else ruleset.signs[sign] for sign in ids]
    return SweptCondition(
        condition,
        np.array([rule.thresholds.get((place, name), condition.threshold) for place in rule.places], np.float64),
        interval_ms=np.array([0 if sign is None else sign.interval_s * 1000 for sign in signs], np.int64),
        blind_after_ms=np.array([0 if sign is None else sign.blind_after_s * 1000 for sign in signs], np.int64),
        there=np.array([sign is not None for sign in signs], bool),
        zone=zone,
    )


def _fact(rule: Rule, name: str, place: str, sign: str | None, *, state: bool) -> Fact:
    entry = rule.words.signs[name]
    group = group_of(entry, sign, rule.node(name))
    return Fact(rule.node(name), rule.id, place, sign, state, 0, 0, None, _NOTHING, group, entry.law)
