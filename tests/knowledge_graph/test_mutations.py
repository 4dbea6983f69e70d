"""Mutants: good tests notice them, poor tests do not."""

from __future__ import annotations

from pathlib import Path

from contracts import load_pack
from knowledge_graph import load_procedures, load_rules, run_mutations

from .examples import UNDERPASS, loaded


def test_poor_tests_let_mutants_live(tmp_path: Path) -> None:
    report = run_mutations(loaded(tmp_path, UNDERPASS))
    assert report.score < 0.5
    assert "deep: operator edge" in {mutant.change for mutant in report.survivors}


def test_a_boundary_test_kills_the_edge(tmp_path: Path) -> None:
    better = UNDERPASS + "  - {given: {deep: 25, minutes: 3}, expect: law.close_road}\n"
    report = run_mutations(loaded(tmp_path, better))
    assert "deep: operator edge" not in {mutant.change for mutant in report.survivors}


def test_the_water_mains_tests_notice_nine_of_ten() -> None:
    pack = load_pack(Path(__file__).parents[2] / "scenarios" / "construction" / "water_main")
    procedures = load_procedures(pack.procedures)
    ruleset = load_rules(pack.rules, pack.signs, pack.places, procedures, timezone=pack.header.timezone)
    report = run_mutations(ruleset)
    assert report.score >= 0.9, [f"{mutant.rule} {mutant.change}" for mutant in report.survivors]
