"""Decision tables in rule files: what fires is what the table says, row by row, missing values included."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import Layer, Level
from knowledge_graph import CompiledRules, compile_rules, run_mutations
from knowledge_graph.trials import play

from .examples import CLOSING, NOON_MS, compiled, loaded, rule_text

SIGNALS = """\
laws:
  orange: {level: orange, cite: an order}
  yellow: {level: yellow, cite: an order}
tables:
  signal:
    hit: HIT
    rows:
      - {level: ">= 80", law: orange}
      - {tide: "(4..6]", law: orange}
      - {level: "[50..80)", law: yellow}
      - {level: "= 7", tide: "< 0", law: yellow}
      - {law: none}
"""
VALUES = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 4.0, 6.0, 7.0, 49.9, 50.0, 79.9, 80.0, 200.0]))


@pytest.fixture(scope="module", params=["first", "collect"])
def signals(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CompiledRules:
    body = SIGNALS.replace("HIT", request.param)
    text = rule_text("level: {source: level_cm}\ntide: {source: tide_m}", body=body + "at: [east.a]\n")
    return compiled(tmp_path_factory.mktemp("signals"), text)


@settings(max_examples=120, deadline=None)
@given(level=VALUES, tide=VALUES)
def test_the_laws_that_fire_are_those_of_the_table(
    signals: CompiledRules, level: float | None, tide: float | None
) -> None:
    table = signals.ruleset.rules[0].tables["signal"]
    known = {name: value for name, value in (("level", level), ("tide", tide)) if value is not None}
    column = np.array([[known.get(name, math.nan)] for name in table.inputs])
    counts = table.decide(column).counts[:, 0]
    expected = {row.outcome for row, counting in zip(table.rows, counts, strict=True) if counting} - {"none"}
    values = {sign: value for sign, value in (("level_cm", level), ("tide_m", tide)) if value is not None}
    facts, _ = signals.watch({}, "east.a", NOON_MS, values)
    fired = {one.law for one in signals.assess("east.a", (), facts) if one.layer is Layer.STATUTORY and one.level}
    assert fired == expected


def test_a_silent_source_keeps_no_law_from_firing(signals: CompiledRules) -> None:
    facts, _ = signals.watch({}, "east.a", NOON_MS, {"level_cm": 60.0})
    fired = [one for one in signals.assess("east.a", (), facts) if one.law == "yellow"]
    assert fired[0].level is Level.YELLOW
    assert "table signal, row 3: level [50..80)" in fired[0].explanation.trace[0]


def test_a_column_may_hold_for_a_time(tmp_path: Path) -> None:
    held = CLOSING.replace("depth: {source: level_cm}", "depth: {source: level_cm, for: 2min}")
    rules = compile_rules(loaded(tmp_path, held))
    rule = rules.ruleset.rules[0]
    for minutes, level in ((1, None), (2, Level.RED)):
        _, assessments = play(rules, rule, {"depth": 26, "minutes": minutes})
        assert [one.level for one in assessments if one.law == "close_road"] == [level]


def test_an_entry_needs_all_and_none_of_what_excludes_it(tmp_path: Path) -> None:
    rules = compile_rules(loaded(tmp_path, CLOSING))
    rule = rules.ruleset.rules[0]

    def surge(**given: float) -> bool | None:
        facts, _ = play(rules, rule, given)
        return next((fact.state for fact in facts if fact.node == "flood.closing.surge"), None)

    assert surge(tide=4.6, works=0.1) is True
    assert surge(tide=4.6) is True, "works that nobody reports exclude nothing"
    assert surge(tide=4.6, works=0.9) is False
    assert surge(tide=4.0, works=0.1) is False
    assert surge(works=0.1) is None


def test_mutants_of_cells_are_noticed_by_boundary_tests(tmp_path: Path) -> None:
    report = run_mutations(loaded(tmp_path, CLOSING))
    changed = {mutant.change for mutant in report.mutants}
    assert "closing_1_depth_min: operator edge" in changed
    assert "closing_1_depth_min: operator edge" not in {mutant.change for mutant in report.survivors}
