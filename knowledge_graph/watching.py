"""All temporal operators of one place: which conditions are asked there, and what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from contracts import SignCatalogue, from_ms

from .conditions import Answer, Watcher, hold_together, watch_sequence
from .facts import Fact, describe
from .ruleset import Rule
from .statements import fill_reason
from .templates import group_of


def local_date(time_ms: int, zone: ZoneInfo) -> date:
    """Return the local day of an event time."""
    return from_ms(time_ms).astimezone(zone).date()


def is_effective(rule: Rule, day: date) -> bool:
    """Return whether a rule applies on a day."""
    words = rule.words
    return (words.effective_from is None or words.effective_from <= day) and (
        words.effective_until is None or day <= words.effective_until
    )


@dataclass(slots=True)
class PlaceWatch:
    """The conditions of one place.

    Attributes:
        place: id of the place.
        rules: the rules that apply there.
        signs: the catalogue.
        zone: local time.
    """

    place: str
    rules: Sequence[Rule]
    signs: SignCatalogue
    zone: ZoneInfo
    _watchers: dict[str, Watcher] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rule in self.rules:
            for name, condition in rule.conditions.items():
                sign_id = rule.signs.get((self.place, name))
                if sign_id is None:
                    continue
                sign = self.signs[sign_id]
                self._watchers[rule.node(name)] = Watcher(
                    condition,
                    rule.thresholds.get((self.place, name), condition.threshold),
                    interval_ms=sign.interval_s * 1000,
                    blind_after_ms=sign.blind_after_s * 1000,
                    zone=self.zone,
                )

    def watch(
        self, before: Mapping[str, Any], time_ms: int, values: Mapping[str, float]
    ) -> tuple[list[Fact], dict[str, Any]]:
        """Take one instant; return what was decided and the new memory by node."""
        day = local_date(time_ms, self.zone)
        facts: list[Fact] = []
        entries: dict[str, Any] = {}
        for rule in self.rules:
            if is_effective(rule, day):
                answers, memory = self._answers(rule, before, time_ms, values)
                entries |= memory
                facts.extend(
                    self._fact(rule, name, time_ms, answer) for name, answer in answers.items() if answer is not None
                )
        return facts, entries

    def _answers(
        self, rule: Rule, before: Mapping[str, Any], time_ms: int, values: Mapping[str, float]
    ) -> tuple[dict[str, Answer | None], dict[str, Any]]:
        answers: dict[str, Answer | None] = {}
        memory: dict[str, Any] = {}
        for name in rule.conditions:
            node = rule.node(name)
            if node in self._watchers:
                value = values.get(rule.signs[self.place, name])
                answers[name], state = self._watchers[node].watch(before.get(node, {}), time_ms, value)
                if state:
                    memory[node] = state
        for name, condition in rule.conditions.items():
            if condition.transform == "sequence":
                node = rule.node(name)
                answers[name], memory[node] = watch_sequence(condition, before.get(node, {}), time_ms, answers)
        for name, condition in rule.conditions.items():  # in the order written: later ones may exclude earlier ones
            if condition.transform == "every":
                answers[name] = hold_together(condition, time_ms, answers)
        return answers, memory

    def _fact(self, rule: Rule, name: str, time_ms: int, answer: Answer) -> Fact:
        condition, entry = rule.conditions[name], rule.words.signs[name]
        sign_id = rule.sign_at(self.place, name)
        if entry.reason is not None and answer.state:
            reason = fill_reason(entry.reason, answer.value)
        else:
            threshold = rule.thresholds.get((self.place, name), condition.threshold)
            sign = self.signs[sign_id] if sign_id is not None else None
            reason = describe(condition, sign, state=answer.state, value=answer.value, threshold=threshold)
        return Fact(
            node=rule.node(name),
            risk=rule.id,
            place=self.place,
            sign=sign_id,
            state=answer.state,
            time_ms=time_ms,
            since_ms=answer.since_ms,
            value=answer.value,
            reason=reason,
            group=group_of(entry, sign_id, rule.node(name)),
            law=entry.law,
        )
