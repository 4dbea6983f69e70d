"""Do a rule's own tests notice when the rule is wrong? Thresholds, operators and times are changed one at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from .authoring import LevelWords, RuleWords, Status
from .ruleset import Condition, Rule, RuleSet
from .trials import run_rule_tests

_STEP = 0.05
_STRICTER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one rule.

    Attributes:
        rule: id of the rule.
        change: what was changed.
        noticed: whether one of the rule's tests failed.
    """

    rule: str
    change: str
    noticed: bool


@dataclass(frozen=True, slots=True)
class MutationReport:
    """All mutants of a rule set."""

    mutants: tuple[Mutant, ...]

    @property
    def score(self) -> float:
        """Share of mutants that the tests noticed; 1 where there was nothing to change."""
        return sum(mutant.noticed for mutant in self.mutants) / len(self.mutants) if self.mutants else 1.0

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        """The mutants that no test noticed: where a test is missing."""
        return tuple(mutant for mutant in self.mutants if not mutant.noticed)


def run_mutations(ruleset: RuleSet) -> MutationReport:
    """Change each evaluated rule in every way we know, and run its own tests against each change."""
    found = []
    for rule in ruleset.rules:
        if rule.words.status in {Status.TRIAL, Status.ACTIVE}:
            for change, mutated in _mutants(rule):
                report = run_rule_tests(dataclasses.replace(ruleset, rules=(mutated,)))
                found.append(Mutant(rule.id, change, noticed=not report.passed))
    return MutationReport(tuple(found))


def _mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    for name, condition in rule.conditions.items():
        for change, mutated in _mutated_conditions(condition):
            conditions = {**rule.conditions, name: mutated}
            yield f"{name}: {change}", dataclasses.replace(rule, conditions=conditions)
    for level, words in rule.words.levels.items():
        for factor in (0.25, 4.0):
            levels = {**rule.words.levels, level: LevelWords(cost=words.cost * factor, loss=words.loss)}
            mutated_words: RuleWords = rule.words.model_copy(update={"levels": levels})
            yield f"{level}: bar times {factor:g}", dataclasses.replace(rule, words=mutated_words)


def _mutated_conditions(condition: Condition) -> Iterator[tuple[str, Condition]]:
    if condition.operator:
        for table, word in ((_STRICTER, "edge"), (_REVERSED, "reversed")):
            yield f"operator {word}", dataclasses.replace(condition, operator=table[condition.operator])
        for factor in (1 - _STEP, 1 + _STEP):
            threshold = condition.threshold * factor if condition.threshold else factor - 1
            yield f"threshold times {factor:g}", dataclasses.replace(condition, threshold=threshold)
    if condition.clear is not None:
        yield "no hysteresis", dataclasses.replace(condition, clear=None)
    if condition.hold_ms:
        yield "no hold", dataclasses.replace(condition, hold_ms=0)
        yield "hold twice as long", dataclasses.replace(condition, hold_ms=2 * condition.hold_ms)
    if condition.count:
        for count in {max(1, condition.count - 1), condition.count + 1} - {condition.count}:
            yield f"count {count}", dataclasses.replace(condition, count=count)
    if condition.window_ms:
        for factor in (0.5, 2.0):
            window_ms = int(condition.window_ms * factor)
            yield f"window times {factor:g}", dataclasses.replace(condition, window_ms=window_ms)
