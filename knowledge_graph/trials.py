"""Runs the tests that rules carry: given these signs, this law, level or fact must come or must not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts import Evidence, EvidenceKind, KnowledgeError, Level, to_ms

from .authoring import Status, TestWords
from .checks import kind_of
from .compiled import Assessment, CompiledRules
from .facts import Fact
from .ruleset import Rule, RuleSet

_START_MS = to_ms(datetime(2026, 7, 1, 4, tzinfo=UTC))  # noon in Shanghai, within the season of most rules
DURATIONS = {"minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
_DEFAULT_STEP_MS = 60_000
MAXIMUM_STEPS = 20_000
"""Readings of one entry that a test may play: a fortnight of minutes."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of one rule.

    Attributes:
        rule: id of the rule.
        index: position of the test in its file, from 0.
        kind: positive, negative or boundary.
        passed: whether it came as expected.
        detail: what was expected and what came.
    """

    rule: str
    index: int
    kind: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class TestReport:
    """All tests of a rule set."""

    results: tuple[TestResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return all(result.passed for result in self.results)

    @property
    def failures(self) -> tuple[TestResult, ...]:
        """The tests that failed."""
        return tuple(result for result in self.results if not result.passed)


def run_rule_tests(ruleset: RuleSet, compiled: CompiledRules | None = None) -> TestReport:
    """Run every test of every rule that is evaluated, each at the rule's first place.

    Args:
        ruleset: the rules.
        compiled: the same rules compiled, if that was done already.
    """
    compiled = compiled or CompiledRules(ruleset)
    results = [
        _run(compiled, rule, index, test)
        for rule in ruleset.rules
        if rule.words.status in {Status.TRIAL, Status.ACTIVE}
        for index, test in enumerate(rule.words.tests)
    ]
    return TestReport(tuple(results))


def _run(compiled: CompiledRules, rule: Rule, index: int, test: TestWords) -> TestResult:
    kind = kind_of(test.expect, test.kind)
    try:
        came = _outcomes(compiled, rule, test.given)
    except (KnowledgeError, ValueError, TypeError) as exc:
        return TestResult(rule.id, index, kind, passed=False, detail=f"cannot be run: {exc}")
    wanted = test.expect is None or _came(test.expect, came)
    unwanted = test.expect_not is not None and _came(test.expect_not, came)
    expected = f"expected {test.expect}" if test.expect is not None else f"expected not {test.expect_not}"
    detail = f"{expected}; came: {', '.join(sorted(came)) or 'none'}"
    return TestResult(rule.id, index, kind, passed=wanted and not unwanted, detail=detail)


def _came(expected: str, came: set[str]) -> bool:
    if expected == "none":
        return not any(outcome.startswith("law.") or outcome in set(Level) for outcome in came)
    return expected in came


def play(
    compiled: CompiledRules, rule: Rule, given: Mapping[str, Any], place: str | None = None
) -> tuple[list[Fact], list[Assessment]]:
    """Play what a test or a past case gives, and return the rule's facts and assessments at the last instant.

    Args:
        compiled: the rule set that holds the rule.
        rule: the rule that is asked.
        given: as in :class:`TestWords`; ``at`` is the first instant in milliseconds.
        place: where; default the rule's first place.

    Raises:
        ValueError: if a value is none or there are too many steps.
        KnowledgeError: if the evidence contradicts itself or the rule does not apply to the place.
    """
    place = place or rule.places[0]
    facts, time_ms = _watch(compiled, rule, place, given)
    evidence = list(_evidence(rule, place, given, time_ms))
    own = [fact for fact in facts if fact.risk == rule.id]
    return own, [found for found in compiled.assess(place, evidence, facts) if found.risk == rule.id]


def _outcomes(compiled: CompiledRules, rule: Rule, given: Mapping[str, Any]) -> set[str]:
    """Return all that came: levels reached (and those below them), laws and facts at the last instant."""
    facts, assessments = play(compiled, rule, given)
    outcomes: set[str] = {f"fact.{_local(rule, fact.node)}" for fact in facts if fact.state}
    for assessment in assessments:
        outcomes |= _reached(assessment)
    return outcomes


def _reached(assessment: Assessment) -> set[str]:
    if assessment.level is None:
        return set()
    if assessment.law is not None:
        return {f"law.{assessment.law}"}
    return {str(level) for level in assessment.bars if level.rank <= assessment.level.rank}


def _watch(compiled: CompiledRules, rule: Rule, place: str, given: Mapping[str, Any]) -> tuple[Sequence[Fact], int]:
    """Play the given readings: lists one value per interval, single values for as long as the test says."""
    series = {name: value for name, value in given.items() if _is_reading(rule, place, name)}
    step_ms = _step_ms(compiled, rule, place, series)
    steps = _steps(given, series, step_ms)
    start_ms = _START_MS if "at" not in given else int(given["at"])
    memory: dict[str, Any] = {}
    facts: Sequence[Fact] = ()
    time_ms = start_ms
    for step in range(steps):
        time_ms = start_ms + step * step_ms
        values = {
            rule.signs[place, name]: float(value)
            for name, listed in series.items()
            if (place, name) in rule.signs and (value := _at(listed, step)) is not None
        }
        facts, memory = compiled.watch(memory, place, time_ms, values)
    return facts, time_ms


def _is_reading(rule: Rule, place: str, name: str) -> bool:
    """Return whether a name stands for readings: a condition, or an entry that only tables read."""
    return name in rule.conditions or ((place, name) in rule.signs and name not in rule.brought)


def _at(listed: Any, step: int) -> float | None:
    if not isinstance(listed, list):
        return float(listed)
    return listed[step] if step < len(listed) else None


def _steps(given: Mapping[str, Any], series: Mapping[str, Any], step_ms: int) -> int:
    lengths = [len(value) for value in series.values() if isinstance(value, list)]
    held_ms = sum(float(given[word]) * factor for word, factor in DURATIONS.items() if word in given)
    steps = max(lengths) if lengths else held_ms // step_ms + 1
    if not 1 <= steps <= MAXIMUM_STEPS:
        message = f"the test runs {steps:g} steps, outside 1 to {MAXIMUM_STEPS}"
        raise ValueError(message)
    return int(steps)


def _step_ms(compiled: CompiledRules, rule: Rule, place: str, series: Mapping[str, Any]) -> int:
    """Return the shortest interval of the signs that the test reads; of all the rule's signs if it reads none."""
    read = [name for name in series if (place, name) in rule.signs]
    names = read or [name for name in rule.words.signs if _is_reading(rule, place, name)]
    signs = [rule.signs[place, name] for name in names if (place, name) in rule.signs]
    return min((compiled.ruleset.signs[sign].interval_s * 1000 for sign in signs), default=_DEFAULT_STEP_MS)


def _evidence(rule: Rule, place: str, given: Mapping[str, Any], time_ms: int) -> Sequence[Evidence]:
    found = []
    for name, value in given.items():
        if name in DURATIONS or _is_reading(rule, place, name) or name == "at":
            continue
        kind, number = EvidenceKind.OBSERVED, float(value)
        brought = rule.brought.get(name)
        if not isinstance(value, bool):
            sets_prior = brought is not None and brought.use == "prior"
            kind = EvidenceKind.EXCEEDANCE if sets_prior else EvidenceKind.LIKELIHOOD
        entry = rule.words.signs.get(name)
        group = (entry.group if entry is not None else None) or rule.signs.get((place, name)) or rule.node(name)
        found.append(
            Evidence(
                node=rule.node(name),
                place=place,
                kind=kind,
                value=number,
                group=group,
                time_ms=time_ms,
                sign=rule.signs.get((place, name)),
            )
        )
    return found


def _local(rule: Rule, node: str) -> str:
    return node.removeprefix(f"{rule.id}.")
