"""The sweep of a backtest says what live assessment says, to the last bit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import Evidence, EvidenceKind, KnowledgeError, Layer
from knowledge_graph import CompiledRules

from .examples import HOUR_MS, NOON_MS, compiled, rule_text

STEPS = 72
CONDITIONS = {
    "plain": '{source: flow, "<": 40}',
    "held": '{source: flow, ">=": 60, for: 3h}',
    "hysteresis": '{source: flow, "<": 30, clear: 45}',
    "counted": '{source: flow, ">": 70, count: 3, within: 12h}',
    "rising": '{source: flow, rise_per: 3h, ">": 30}',
    "dropping": '{source: flow, drop_per: 2h, ">=": 25, for: 2h}',
    "night": '{source: flow, night: "01:00-05:00", ">=": 20}',
    "nights": '{source: flow, night: "22:00-02:00", "<": 60, for: 24h}',
    "stuck": "{source: flow, stuck: 3h, tolerance: 0.5}",
    "absent": "{source: flow, absent: 4h}",
    "summer": '{source: flow, "<": 50, season: 06-01..07-02}',
    "evening": '{source: flow, ">": 50, hours: "18:00-06:00"}',
}
SEEN = ", seen: {{yes: {yes}, of: 10}}, otherwise: {{yes: 1, of: {of}}}}}"
RULE = rule_text(
    "\n".join(
        f"{name}: {words[:-1]}" + SEEN.format(yes=9 - index % 5, of=3 + 7 * index)
        for index, (name, words) in enumerate(CONDITIONS.items())
        if name not in {"held", "rising", "plain"}
    )
    + '\nplain: {source: flow, "<": 40}\nheld: {source: flow, ">=": 60, for: 3h}'
    + '\nrising: {source: depth, rise_per: 3h, ">": 30}\ndeep: {source: depth, "<": 10, law: close}'
    + "\nturn: {sequence: [plain, held], within: 12h, seen: {yes: 4, of: 10}, otherwise: {yes: 1, of: 40}}"
    + "\nboth: {all: [plain, evening], unless: [deep], seen: {yes: 6, of: 10}, otherwise: {yes: 1, of: 30}}"
    + "\nneither: {all: [held, stuck], unless: [both], law: close}"
    + "\nahead: {source: depth, use: prior, at: 20, direction: low}"
    + "\nshock: {source: wind, use: shock, direction: low}\ndrift: {source: wind, use: drift, direction: low}",
    body="causes:\n  ahead: {yes: 7, of: 10, prior: {yes: 1, of: 50}}\n"
    "  held: {yes: 4, of: 10, prior: {yes: 1, of: 9}}\n"
    "  plain: {yes: 2, of: 10, prior: {yes: 1, of: 5}}\n"
    "inhibits: {rising: {stops: 5, of: 10, prior: {yes: 1, of: 20}}}\nlaws: {close: {cite: act}}\n",
)
BROUGHT = {"ahead": EvidenceKind.EXCEEDANCE, "shock": EvidenceKind.LIKELIHOOD, "drift": EvidenceKind.LIKELIHOOD}


def random_world(seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    flow, depth = random.integers(0, 100, size=(2, STEPS, 2)).astype(float)
    flow[random.random(flow.shape) < 0.3] = 55.0
    for series in (flow, depth):
        series[random.random(series.shape) < 0.15] = np.nan
    flow[40:48, 0] = np.nan
    ahead = np.where(random.random(flow.shape) < 0.6, random.random(flow.shape), np.nan)
    shock, drift = (
        np.where(random.random(flow.shape) < 0.6, np.exp(random.normal(0, 3, flow.shape)), np.nan) for _ in range(2)
    )
    return {"flow": flow, "depth": depth, "ahead": ahead, "shock": shock, "drift": drift}


def live(rules: CompiledRules, world: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, list[set[str]]]:
    """Assess every case one by one, as the runtime does."""
    rule = rules.ruleset.rules[0]
    probability = np.empty((STEPS, len(rule.places)))
    fired = np.zeros((STEPS, len(rule.places)), bool)
    spoke: list[set[str]] = []
    for column, place in enumerate(rule.places):
        memory: dict[str, Any] = {}
        for step in range(STEPS):
            time_ms = NOON_MS + step * HOUR_MS
            heard = {f"{name}.{place[-1]}": float(world[name][step, column]) for name in ("flow", "depth")}
            heard = {sign: value for sign, value in heard.items() if not math.isnan(value)}
            facts, memory = rules.watch(memory, place, time_ms, heard)
            evidence = [
                Evidence(
                    node=b.node,
                    place=place,
                    kind=BROUGHT[name],
                    value=number,
                    group=b.group,
                    time_ms=time_ms,
                    sign=b.sign,
                )
                for b in rules.bindings
                if b.place == place
                and not math.isnan(number := float(world[name := b.node.removeprefix("test.rule.")][step, column]))
            ]
            found = rules.assess(place, evidence, facts)
            experience = next(a for a in found if a.layer is Layer.EXPERIENCE)
            probability[step, column] = experience.probability
            fired[step, column] = next(a for a in found if a.law == "close").level is not None
            spoke.append(set(experience.signs))
    return probability, fired, spoke


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, STEPS - 1))
def test_a_sweep_equals_live_assessment_to_the_last_bit(tmp_path_factory: Any, seed: int, cut: int) -> None:
    rules = compiled(tmp_path_factory.mktemp("rules"), RULE)
    world = random_world(seed)
    probability, fired, spoke = live(rules, world)
    sweep = rules.sweep("test.rule")
    times = [NOON_MS + step * HOUR_MS for step in range(STEPS)]
    sources = {name: "depth" if name in {"rising", "deep"} else "flow" for name in sweep.conditions}
    blocks = []
    for part in (slice(0, cut), slice(cut, STEPS)):
        readings = {name: world[source][part] for name, source in sources.items()}
        blocks.append(sweep.advance(times[part], readings, {name: world[name][part] for name in BROUGHT}))
    assert np.array_equal(np.concatenate([block.probability for block in blocks]), probability)
    assert np.array_equal(np.concatenate([block.laws["close"] for block in blocks]), fired)
    said = {name: np.concatenate([block.said[name] for block in blocks]) for name in blocks[0].said}
    places = sweep.places
    told = [
        set(sweep.spoke({name: int(array[step, column]) for name, array in said.items()}, places[column]))
        for column in range(len(places))
        for step in range(STEPS)
    ]
    assert told == spoke


def test_a_rule_says_nothing_on_days_it_does_not_apply(tmp_path: Path) -> None:
    rules = compiled(
        tmp_path,
        rule_text(
            'plain: {source: flow, "<": 40, for: 2h, law: low}', body="from: 2026-07-02\nlaws: {low: {cite: act}}\n"
        ),
    )
    sweep = rules.sweep("test.rule")
    times = [NOON_MS + step * HOUR_MS for step in range(24)]
    found = sweep.advance(times, {"plain": np.full((24, 2), 10.0)})
    before = np.array(times) < NOON_MS + 12 * HOUR_MS
    assert np.isnan(found.probability[before]).all()
    assert (found.said["plain"][12:15, 0] == [0, 0, 1]).all()


def test_what_is_not_part_of_a_rule_is_refused(tmp_path: Path) -> None:
    rules = compiled(tmp_path, rule_text('plain: {source: flow, "<": 40, law: low}', body="laws: {low: {cite: act}}\n"))
    with pytest.raises(KnowledgeError, match="No rule 'nobody'"):
        rules.sweep("nobody")
    with pytest.raises(KnowledgeError, match=r"\['other'\] are none of it"):
        rules.sweep("test.rule").advance([NOON_MS], {"other": np.zeros((1, 2))})
