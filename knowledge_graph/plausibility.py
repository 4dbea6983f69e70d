"""What a rule claims held against what its signs can deliver: ranges, intervals, base rate, size of its graph."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta

from contracts import KnowledgeError, Problem, Sign, SignCatalogue

from .documents import Document, Location
from .quantities import format_duration
from .ruleset import Condition, Rule
from .templates import Template, build_template

_FACTOR = 3.0
"""How far the risk without any evidence may lie from the base rate."""
_SOON = timedelta(days=30)


def verify_claims(rule: Rule, document: Document, signs: SignCatalogue) -> Iterator[Problem]:
    """Yield conditions that can never or must always hold, laws that nothing fires, graphs that are too large."""
    for name, condition in rule.conditions.items():
        found = _signs_of(rule, name, signs)
        if found and not (name in rule.derived and name not in rule.words.causes and name not in rule.words.inhibits):
            yield from _verify_condition(name, condition, found, rule, document)
    fired = {entry.law for entry in rule.words.signs.values()}
    for law in rule.words.laws:
        if law not in fired:
            message = f"nothing fires the law {law!r}."
            yield Problem(document.where(("laws", law)), message, "Name it under signs or in a table, or remove it.")
    yield from _verify_base_rate(rule, document)


def _signs_of(rule: Rule, name: str, signs: SignCatalogue) -> list[Sign]:
    return [signs[sign] for (_, entry), sign in rule.signs.items() if entry == name]


def _verify_condition(
    name: str, condition: Condition, signs: list[Sign], rule: Rule, document: Document
) -> Iterator[Problem]:
    where = document.where(_home(rule, name))
    low = min(-math.inf if sign.minimum is None else sign.minimum for sign in signs)
    high = max(math.inf if sign.maximum is None else sign.maximum for sign in signs)
    if condition.transform in {"rise", "drop"}:
        low, high = -math.inf, high - low
    if condition.operator:
        told = f"{condition.operator} {condition.threshold:g} {condition.unit}".rstrip()
        outcome = _outcome(condition, low, high)
        if outcome:
            limits = f"{low:g}..{high:g}"
            yield Problem(
                where, f"{name!r} {told} {outcome} hold within {limits}.", "Correct it, or the sign's limits."
            )
    interval_ms = min(sign.interval_s for sign in signs) * 1000
    shortest = format_duration(interval_ms)
    if condition.transform in {"rise", "drop"} and condition.window_ms < interval_ms:
        message = f"{name!r} looks back {format_duration(condition.window_ms)}, but a reading comes every {shortest}."
        yield Problem(where, message, "Look back at least that long.")
    if condition.transform == "absent" and condition.window_ms < interval_ms:
        message = f"{name!r} misses a reading after {format_duration(condition.window_ms)}; one comes every {shortest}."
        yield Problem(where, message, "Wait longer than that.")
    if condition.count and (condition.count - 1) * interval_ms >= condition.within_ms:
        message = f"{name!r} needs {condition.count} readings within {format_duration(condition.within_ms)}."
        yield Problem(where, message, f"One comes every {shortest}: raise 'within' or lower 'count'.")
    blind = next((sign for sign in signs if sign.blind_after_s < sign.interval_s), None)
    if blind is not None:
        message = f"{blind.id!r} counts as blind after {blind.blind_after_s} s, before its next reading is due."
        yield Problem(where, message, f"Let stale_after_s in signs.csv be above {blind.interval_s}.")


def _outcome(condition: Condition, low: float, high: float) -> str:
    """Return ``can never`` or ``must always`` where the limits leave no choice."""
    threshold, operator = condition.threshold, condition.operator
    if operator.startswith(">"):
        never = threshold > high or (threshold == high and operator == ">")
        always = threshold < low or (threshold == low and operator == ">=")
    else:
        never = threshold < low or (threshold == low and operator == "<")
        always = threshold > high or (threshold == high and operator == "<=")
    return "can never" if never else "must always" if always else ""


def _home(rule: Rule, name: str) -> Location:
    if name not in rule.derived:
        return ("signs", name)
    return ("causes" if name in rule.words.causes else "inhibits", name, "when")


def _verify_base_rate(rule: Rule, document: Document) -> Iterator[Problem]:
    words = rule.words
    if words.base_rate is not None and words.leak.rate > words.base_rate.rate:
        message = f"the leak of {words.leak.rate:.3g} alone exceeds the base rate of {words.base_rate.rate:.3g}."
        yield Problem(document.where(("base_rate",)), message, "Lower the leak, or correct the base rate.")


def build_within_budget(rule: Rule, document: Document, problems: list[Problem]) -> Template | None:
    """Build a rule's graph; append a problem and return None if it does not fit the treewidth budget."""
    try:
        return build_template(rule)
    except KnowledgeError as exc:
        problems.append(Problem(document.where(("causes",)), str(exc), "Split the risk, or name fewer causes."))
        return None


def advise_claims(template: Template, document: Document, today: date | None) -> Iterator[Problem]:
    """Yield where the risk without any evidence lies far from the base rate, and rules that end.

    Args:
        template: the rule's graph.
        document: its file.
        today: the day that ``until`` is held against; None for no such advice.
    """
    words = template.rule.words
    if words.base_rate is not None:
        log_odds, _ = template.log_odds({}, {}, 1)
        claimed, rate = float(1 / (1 + math.exp(-log_odds[0]))), words.base_rate.rate
        if not rate / _FACTOR <= claimed <= rate * _FACTOR:
            message = f"without evidence the risk has {claimed:.3g}, the base rate says {rate:.3g}."
            yield Problem(document.where(("base_rate",)), message, "Correct the leak, a share or a prior.")
    until = words.effective_until
    if today is not None and until is not None and until < today + _SOON:
        tense = "ended" if until < today else "ends"
        yield Problem(document.where(("until",)), f"the rule {tense} on {until}.", "Review it and set a later day.")
