"""Rules are checked whole and tested from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cityforge.packs import SCENARIOS
from tests.cityforge.conftest import Command


@pytest.fixture
def rules(project: Path) -> Path:
    shutil.copytree(SCENARIOS / "construction" / "water_main", project / "pack")
    return project / "pack" / "rules"


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_installed_pack_is_right(cityforge: Command, project: Path) -> None:
    checked = cityforge("rules", "check", "water_main", "--json")
    assert checked.code == 0, checked.err
    assert checked.data["packs"][0]["pack"] == "construction.water_main"
    tested = cityforge("rules", "test", "water_main", "--json")
    assert tested.code == 0, tested.err
    assert tested.data["passed"]
    assert len(tested.data["tests"]) > 20


def test_problems_of_several_files_are_reported_at_once(cityforge: Command, rules: Path) -> None:
    change(rules / "supply_loss.yaml", "do: SOP-WM-01", "do: SOP-WM-99")
    change(rules / "leak.yaml", "source: water_main.flow", "source: water_main.flwo")
    outcome = cityforge("rules", "check", "pack", "--json")
    assert outcome.code == 2
    problems = {problem["where"]: problem["message"] for problem in outcome.data["error"]["problems"]}
    assert any("supply_loss.yaml" in where and "SOP-WM-99" in message for where, message in problems.items())
    assert any("leak.yaml" in where and "water_main.flwo" in message for where, message in problems.items())


def test_problems_of_procedures_hide_no_problems_of_rules(cityforge: Command, rules: Path) -> None:
    change(rules / "leak.yaml", "source: water_main.flow", "source: water_main.flwo")
    (rules.parent / "procedures.yaml").write_text("SOP-1: {title: x}\n", encoding="utf-8")
    outcome = cityforge("rules", "check", "pack", "--json")
    wheres = {problem["where"].partition(":")[0] for problem in outcome.data["error"]["problems"]}
    assert wheres == {"construction.water_main/procedures.yaml", "construction.water_main/leak.yaml"}


def test_advice_and_coverage_are_told_and_fail_nothing(cityforge: Command, rules: Path) -> None:
    change(rules / "leak.yaml", "status: active", "status: trial\nuntil: 2020-01-01")
    outcome = cityforge("rules", "check", "pack", "--json")
    assert outcome.code == 0, outcome.err
    assert any("ended on 2020-01-01" in one["message"] for one in outcome.data["advice"])
    levels = {one["level"]: (one["covered"], one["places"]) for one in outcome.data["packs"][0]["coverage"]}
    assert levels == dict.fromkeys(("city", "district", "street", "grid", "community"), (1, 1))
    assert "ended on 2020-01-01" in cityforge("rules", "check", "pack").out


def test_a_failed_test_ends_with_code_three_and_says_what_came(cityforge: Command, rules: Path) -> None:
    change(rules / "supply_loss.yaml", '"<": 95 l/s', '"<": 90 l/s')
    outcome = cityforge("rules", "test", "pack", "--json")
    assert outcome.code == 3
    failed = [one for one in outcome.data["tests"] if not one["passed"]]
    assert failed
    assert all(one["rule"] == "water_main.supply_loss" and one["detail"] for one in failed)
    assert "tests of rules failed" in outcome.err


def test_an_unknown_pack_names_the_known_ones(cityforge: Command, project: Path) -> None:
    outcome = cityforge("rules", "check", "water_mane")
    assert outcome.code == 1
    assert "No pack 'water_mane'" in outcome.err
    assert "construction.water_main" in outcome.err


def test_without_any_pack_the_remedy_is_said(cityforge: Command, project: Path) -> None:
    outcome = cityforge("rules", "check")
    assert outcome.code == 2
    assert "set `packs` in cityforge.toml" in outcome.err
