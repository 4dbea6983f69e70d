"""Traces through a rule: forward from a reading to what it may set off, backward from a goal to what it still needs.

Backward is chaining from a law or a level to conditions and readings: each step says whether it holds, and where nobody
knows, what has to come before anybody can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts import Evidence, KnowledgeError, Level

from .compiled import CompiledRules
from .facts import Fact
from .ruleset import Rule


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a backward trace.

    Attributes:
        node: id in the graph.
        kind: ``law``, ``level``, ``condition``, ``evidence``, ``cause``, ``inhibitor`` or ``reading``.
        holds: whether it does; None where nobody knows.
        detail: what was seen, or what is missing.
        needs: the steps that it rests on.
    """

    node: str
    kind: str
    holds: bool | None
    detail: str
    needs: tuple[Step, ...] = ()

    def walk(self) -> Iterator[Step]:
        """Yield itself and all that it rests on, depth first."""
        yield self
        for step in self.needs:
            yield from step.walk()


def trace_forward(rules: CompiledRules, place: str, sign: str) -> list[tuple[str, ...]]:
    """Return the paths from a sign to every risk and law it may set off at a place: sign, entry, ..., goal.

    Raises:
        KnowledgeError: if no rule applies to the place.
    """
    found = []
    for rule in _rules_at(rules, place):
        for name in (*rule.conditions, *rule.brought):
            if rule.sign_at(place, name) != sign or _is_made_of(rule, name):
                continue
            for chain in _chains(rule, (name,)):
                entry = rule.words.signs[chain[-1]]
                path = (sign, *(rule.node(step) for step in chain))
                if entry.law is not None:
                    found.append((*path, rule.node(f"law.{entry.law}")))
                if _bears_on_risk(rule, chain[-1]):
                    found.append((*path, rule.node(entry.of or rule.words.risk)))
    return list(dict.fromkeys(found))


def trace_backward(
    rules: CompiledRules,
    place: str,
    goal: str,
    *,
    evidence: Sequence[Evidence] = (),
    facts: Sequence[Fact] = (),
) -> Step:
    """Return what a goal rests on at a place, and what of it holds.

    Args:
        rules: compiled.
        place: id of the place.
        goal: ``RISK.law.NAME`` for a law, ``RISK.LEVEL`` for a level, such as ``flood.underpass.red``.
        evidence: what models and people brought.
        facts: what :meth:`CompiledRules.watch` found.

    Raises:
        KnowledgeError: if no rule of the place has such a goal.
    """
    known = {fact.node: fact for fact in facts}
    for rule in _rules_at(rules, place):
        for law in rule.law_names:
            if goal == rule.node(f"law.{law}"):
                needs = [
                    _condition(rule, place, name, known)
                    for name in rule.conditions
                    if rule.words.signs[name].law == law
                ]
                return _any(goal, "law", needs, "fires when one of these holds")
        for level in rule.bars:
            if goal == rule.node(level):
                return _level(rules, rule, place, level, evidence=evidence, facts=facts)
    goals = [
        rule.node(name)
        for rule in _rules_at(rules, place)
        for name in (*(f"law.{law}" for law in rule.law_names), *map(str, rule.bars))
    ]
    message = f"{goal!r} is no goal at {place!r}. Goals there: {', '.join(goals)}."
    raise KnowledgeError(message)


def _level(
    rules: CompiledRules,
    rule: Rule,
    place: str,
    level: Level,
    *,
    evidence: Sequence[Evidence],
    facts: Sequence[Fact],
) -> Step:
    own = [item for item in evidence if item.node.startswith(f"{rule.id}.")]
    told = [one for one in rules.assess(place, own, facts) if one.risk == rule.id and one.probability is not None]
    if not told:
        return Step(rule.node(level), "level", None, "the rule does not apply on this day")
    probability, bar = float(told[0].probability or 0.0), rule.bars[level]
    detail = f"probability {probability:.4g}, reached above {bar:.4g}"
    known, brought = {fact.node: fact for fact in facts}, {item.node: item for item in own}
    checks = {check.node: check for check in rules.next_checks(place, rule.id, own, facts)}
    needs = [_condition(rule, place, name, known) for name in rule.conditions if _bears_on_risk(rule, name)]
    needs += [_brought(rule, place, name, brought) for name in rule.brought]
    for kind, names in (("cause", rule.words.causes), ("inhibitor", rule.words.inhibits)):
        for name in names:
            if name not in rule.conditions and name not in rule.brought:
                check = checks.get(rule.node(name))
                seen = "" if check is None else f"; {check.if_yes:.4g} if it is there, {check.if_no:.4g} if not"
                needs.append(Step(rule.node(name), kind, None, f"nobody has looked{seen}"))
    return Step(rule.node(level), "level", probability > bar, detail, tuple(needs))


def _condition(rule: Rule, place: str, name: str, known: Mapping[str, Fact]) -> Step:
    node, condition = rule.node(name), rule.conditions[name]
    needs = [_condition(rule, place, step, known) for step in (*condition.steps, *condition.unless)]
    sign = rule.sign_at(place, name)
    fact = known.get(node)
    if not needs:
        heard = None if fact is None else True
        missing = "no sign here" if sign is None else f"a usable reading of {sign}, and the time it asks for"
        needs = [Step(sign or node, "reading", heard, "heard" if heard else f"needs {missing}")]
    if fact is None:
        return Step(node, "condition", None, "not decided", tuple(needs))
    return Step(node, "condition", fact.state, fact.reason.en, tuple(needs))


def _brought(rule: Rule, place: str, name: str, brought: Mapping[str, Evidence]) -> Step:
    node = rule.node(name)
    item = brought.get(node)
    if item is None:
        return Step(node, "evidence", None, f"no model brought anything on {rule.sign_at(place, name)}")
    return Step(node, "evidence", True, f"{item.kind} {item.value:.4g}")


def _any(node: str, kind: str, needs: Sequence[Step], detail: str) -> Step:
    states = [step.holds for step in needs]
    holds = True if True in states else (None if None in states else False)
    return Step(node, kind, holds, detail, tuple(needs))


def _chains(rule: Rule, chain: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield a chain of entries and everything that entries made of its last one add."""
    yield chain
    for name, condition in rule.conditions.items():
        if chain[-1] in (*condition.steps, *condition.unless):
            yield from _chains(rule, (*chain, name))


def _bears_on_risk(rule: Rule, name: str) -> bool:
    words, entry = rule.words, rule.words.signs[name]
    rooted = name in words.causes or name in words.inhibits
    return rooted or entry.seen is not None or entry.law is not None or name in rule.brought


def _is_made_of(rule: Rule, name: str) -> bool:
    return name in rule.conditions and bool(rule.conditions[name].steps)


def _rules_at(rules: CompiledRules, place: str) -> list[Rule]:
    found = [template.rule for template in rules.templates.values() if place in template.rule.places]
    if not found:
        message = f"No rule applies to the place {place!r}. Places with rules: {', '.join(rules.places[:5])}."
        raise KnowledgeError(message)
    return found
