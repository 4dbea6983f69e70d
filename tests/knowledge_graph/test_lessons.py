"""Proposals move toward what came true, say what they are worth on unseen months, and speak the file's own reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts import DataError
from knowledge_graph import Rule, Verdicts
from knowledge_graph.learning import LEAK, probabilities
from knowledge_graph.lessons import Cases, expert_counts, propose
from knowledge_graph.network import net_strength

from .examples import NOON_MS, compiled, rule_text

DAY_MS = 86_400_000
BODY = (
    "causes:\n  wet: {yes: 6, of: 10, prior: {yes: 1, of: 5}}\n"
    "  gate: {yes: 4, of: 10, reading: alone, prior: {yes: 1, of: 9}}\n"
)


def rule(folder: Path, body: str = BODY) -> Rule:
    return compiled(folder, rule_text('wet: {source: flow, "<": 40}', body=body)).ruleset.rules[0]


def drawn(count: int, truth: dict[str, float], seed: int = 1) -> Cases:
    random = np.random.default_rng(seed)
    present = {name: (random.random(count) < 0.3).astype(float) for name in truth if name != LEAK}
    came = random.random(count) < probabilities(truth, present)
    times = NOON_MS + DAY_MS * np.sort(random.integers(0, 180, count))
    return Cases(times, Verdicts(present, came, np.ones(count), np.arange(count)))


def test_counts_start_where_the_file_stands(tmp_path: Path) -> None:
    own = rule(tmp_path)
    counts = expert_counts(own)
    assert counts.rates()["wet"] == pytest.approx(net_strength(0.6, own.words.leak.rate))
    assert counts.rates()["gate"] == pytest.approx(0.4)


def test_a_drift_is_followed_and_pays_on_months_not_yet_seen(tmp_path: Path) -> None:
    proposal = propose(rule(tmp_path), drawn(900, {"wet": 0.2, "gate": 0.8, LEAK: 0.03}), memory=1.0)
    after = {one.name: one.after for one in proposal.changes}
    leak = after[LEAK]
    assert leak == pytest.approx(0.03, abs=0.02)
    assert net_strength(after["wet"], leak) == pytest.approx(0.2, abs=0.08)
    assert after["gate"] == pytest.approx(0.8, abs=0.06)
    assert proposal.brier_after < proposal.brier_before
    assert (proposal.cases, proposal.storms) == (900, 900)
    edits = proposal.edits()
    assert float(edits["causes", "gate", "yes"]) / float(edits["causes", "gate", "of"]) == pytest.approx(after["gate"])
    assert str(edits["leak", "basis"]).startswith("900 verdicts until 20")


def test_indicators_learn_how_often_they_are_seen(tmp_path: Path) -> None:
    own = compiled(
        tmp_path,
        rule_text(
            'wet: {source: flow, "<": 40}\n'
            'gauge: {source: depth, ">": 50, seen: {yes: 5, of: 10}, otherwise: {yes: 1, of: 10}}',
            body=BODY,
        ),
    ).ruleset.rules[0]
    cases = drawn(900, {"wet": 0.6, "gate": 0.4, LEAK: 0.03})
    random = np.random.default_rng(3)
    came = cases.verdicts.came
    seen = (random.random(came.size) < np.where(came, 0.9, 0.02)).astype(np.int8)
    seen[random.random(came.size) < 0.2] = -1
    proposal = propose(own, Cases(cases.times_ms, cases.verdicts, {"gauge": seen}), memory=1.0)
    after = {one.name: one.after for one in proposal.changes}
    assert after["gauge.seen"] == pytest.approx(0.9, abs=0.06)
    assert after["gauge.otherwise"] == pytest.approx(0.02, abs=0.02)
    assert ("signs", "gauge", "seen", "yes") in proposal.edits()


def test_what_was_learned_fades_toward_the_veterans_numbers(tmp_path: Path) -> None:
    cases = drawn(600, {"wet": 0.2, "gate": 0.8, LEAK: 0.03})
    own = rule(tmp_path)
    kept, faded = ({one.name: one for one in propose(own, cases, memory).changes} for memory in (1.0, 0.3))
    assert faded["gate"].of < kept["gate"].of
    assert abs(faded["gate"].after - 0.4) < abs(kept["gate"].after - 0.4)


def test_too_few_cases_and_other_combinations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only 5 cases were judged; 20 are needed"):
        propose(rule(tmp_path), drawn(5, {"wet": 0.2, "gate": 0.8, LEAK: 0.03}))
    together = rule(tmp_path, f"combine: all\n{BODY}")
    with pytest.raises(DataError, match="combine by 'all'"):
        propose(together, drawn(50, {"wet": 0.2, "gate": 0.8, LEAK: 0.03}))
