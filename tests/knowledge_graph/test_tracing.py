"""Traces name every way from a reading to a goal, and what a goal still needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import Evidence, EvidenceKind, KnowledgeError
from knowledge_graph import CompiledRules
from knowledge_graph.tracing import trace_backward, trace_forward

from .examples import HOUR_MS, NOON_MS, compiled, rule_text

PLACE = "east.a"
RULE = rule_text(
    'low: {source: flow, "<": 40, for: 2h}\nhigh: {source: depth, ">": 20}\n'
    "both: {all: [low, high], law: close}\n"
    'gauge: {source: depth, ">": 50, seen: {yes: 8, of: 10}, otherwise: {yes: 1, of: 50}}\n'
    "ahead: {source: depth, use: prior, at: 20, direction: high}",
    body="causes:\n  ahead: {yes: 7, of: 10, prior: {yes: 1, of: 50}}\n"
    "  blocked: {yes: 9, of: 10, prior: {yes: 1, of: 9}}\n"
    "inhibits: {pump: {stops: 9, of: 10, prior: {yes: 1, of: 2}}}\nlaws: {close: {cite: act}}\n",
)


@pytest.fixture
def rules(tmp_path: Path) -> CompiledRules:
    return compiled(tmp_path, RULE)


def goal(rules: CompiledRules, name: str) -> str:
    return rules.ruleset.rules[0].node(name)


def test_forward_finds_every_way_to_a_goal(rules: CompiledRules) -> None:
    ways = {" → ".join(path).replace("test.rule.", "") for path in trace_forward(rules, PLACE, "depth.a")}
    risk = rules.ruleset.rules[0].words.risk
    assert ways == {
        "depth.a → high → both → law.close",
        f"depth.a → high → both → {risk}",
        f"depth.a → gauge → {risk}",
        f"depth.a → ahead → {risk}",
    }
    assert trace_forward(rules, PLACE, "wind.a") == []


def test_backward_from_a_law_says_what_is_missing(rules: CompiledRules) -> None:
    facts, memory = rules.watch({}, PLACE, NOON_MS, {"flow.a": 10.0})
    step = trace_backward(rules, PLACE, goal(rules, "law.close"), facts=facts)
    states = {one.node.removeprefix("test.rule."): one.holds for one in step.walk()}
    assert step.holds is False  # low is there, but not yet for two hours: that decides
    assert states["low"] is False
    assert states["high"] is None
    assert states["depth.a"] is None
    for hour in (1, 2):
        facts, memory = rules.watch(memory, PLACE, NOON_MS + hour * HOUR_MS, {"flow.a": 10.0})
    assert trace_backward(rules, PLACE, goal(rules, "law.close"), facts=facts).holds is None
    facts, memory = rules.watch(memory, PLACE, NOON_MS + 3 * HOUR_MS, {"flow.a": 10.0, "depth.a": 30.0})
    fired = trace_backward(rules, PLACE, goal(rules, "law.close"), facts=facts)
    assert fired.holds is True
    assert all(one.holds for one in fired.walk())


def test_backward_from_a_level_says_what_looking_would_change(rules: CompiledRules) -> None:
    evidence = [
        Evidence(
            node=goal(rules, "ahead"),
            place=PLACE,
            kind=EvidenceKind.EXCEEDANCE,
            value=0.3,
            group="g",
            time_ms=NOON_MS,
            sign="depth.a",
        )
    ]
    level = next(iter(rules.ruleset.rules[0].bars))
    step = trace_backward(rules, PLACE, goal(rules, level), evidence=evidence)
    (told,) = [one for one in rules.assess(PLACE, evidence) if one.probability is not None]
    assert f"probability {told.probability:.4g}" in step.detail
    found = {one.node.removeprefix("test.rule."): one for one in step.walk()}
    assert (found["blocked"].kind, found["blocked"].holds) == ("cause", None)
    assert "if it is there" in found["blocked"].detail
    assert found["pump"].kind == "inhibitor"
    assert found["ahead"].holds is True
    assert found["gauge"].holds is None


def test_unknown_goals_name_the_known_ones(rules: CompiledRules) -> None:
    with pytest.raises(KnowledgeError, match=r"Goals there: test\.rule\.law\.close"):
        trace_backward(rules, PLACE, "test.rule.law.nothing")
    with pytest.raises(KnowledgeError, match="No rule applies"):
        trace_forward(rules, "nowhere", "depth.a")
