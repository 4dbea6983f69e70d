"""Rules become versions: judged by gates, promoted and rolled back like a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from cityforge.settings import load_settings
from cityforge.workspace import Workspace
from contracts import Task
from operations import released_rules
from tests.cityforge.conftest import Command
from tests.early_warning.worlds import write_pack

from .test_rules_backtest import events, readings

__all__ = ["events", "readings"]
NAME = "test.pump.rules"
MORE_TESTS = """
  - {given: {shock: 500}, expect: red}
  - {given: {shock: 100}, expect: yellow}
  - {given: {shock: 100}, expect_not: red}
  - {given: {shock: 10}, expect: none}
  - {given: {low_ahead: 0.9}, expect: red}
  - {given: {low_ahead: 0.5}, expect: yellow}
  - {given: {low_ahead: 0.08}, expect: none}
  - {given: {dry: 4.99}, expect: law.dry_main, kind: boundary}
"""


def change(pack: Path, old: str, new: str) -> None:
    rule = pack / "rules" / "supply.yaml"
    text = rule.read_text(encoding="utf-8")
    assert old in text
    rule.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_rules_are_gated_promoted_and_rolled_back(
    cityforge: Command, project: Path, readings: Path, events: Path
) -> None:
    pack = write_pack(project / "pack")
    (project / "cityforge.toml").write_text(f'packs = ["{pack}"]\n', encoding="utf-8")
    blind = cityforge("rules", "register", pack, "--json")
    assert blind.code == 0, blind.err
    gates = {gate["name"]: gate for gate in blind.data["version"]["gates"]}
    assert gates["validation"]["passed"]
    assert gates["own_tests"]["passed"]
    assert not gates["backtest_no_worse"]["passed"]
    assert "Not measured" in gates["backtest_no_worse"]["detail"]
    assert cityforge("promote", NAME).code == 1

    change(pack, "tests:\n", "tests:" + MORE_TESTS)
    good = cityforge("rules", "register", pack, "--readings", readings, "--events", events, "--json")
    found = {gate["name"]: gate for gate in good.data["version"]["gates"]}
    assert all(gate["passed"] for gate in found.values()), found
    promoted = cityforge("promote", NAME, "--json")
    assert promoted.code == 0, promoted.err
    assert promoted.data["entry"]["manifest"]["version"] == 2

    change(pack, '"<": 5 l/s', '"<": 1 l/s')
    change(pack, "dry: 4.99}", "dry: 0.99}")
    change(pack, "dry: 4}", "dry: 0}")
    change(pack, "dry: 5}", "dry: 1}")
    worse = cityforge("rules", "register", pack, "--readings", readings, "--events", events, "--json")
    failed = [gate["name"] for gate in worse.data["version"]["gates"] if not gate["passed"]]
    assert failed == ["backtest_no_worse"]
    refused = cityforge("promote", NAME, "--version", "3")
    assert refused.code == 1
    assert "backtest_no_worse" in refused.err
    assert cityforge("promote", NAME, "--version", "3", "--override", "the meter was changed").code == 0
    back = cityforge("rollback", NAME, "--reason", "too deaf", "--json")
    assert back.data["entry"]["manifest"]["version"] == 2
    with Workspace(load_settings(None)) as workspace:
        assert workspace.store.ledger.rule_sets()[NAME].manifest.task is Task.RULES
        (bundle,) = released_rules(workspace.store, workspace.settings.releases_address).values()
    assert b"< 1 l/s" not in bundle
    listed = cityforge("models", "--json")
    assert [model["name"] for model in listed.data["models"]] == [NAME]
    assert cityforge("show", NAME).code == 0
