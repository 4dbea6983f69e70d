"""Rules are judged by the past from the command line: by files, or by what came through the inbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from cityforge.settings import load_settings
from cityforge.workspace import Workspace
from contracts import Reading, from_ms
from tests.cityforge.conftest import Command
from tests.early_warning.worlds import HOUR_MS, PUMP, START_MS, SUPPLY, flow, write_pack

HOURS = 60
DRY = {30: 2.0, 31: 2.0, 50: 3.0}


@pytest.fixture
def pack(project: Path) -> Path:
    return write_pack(project / "pack")


@pytest.fixture
def readings(project: Path) -> Path:
    file = project / "readings.csv"
    rows = [
        f"{PUMP},{from_ms(START_MS + hour * HOUR_MS):%Y-%m-%dT%H:%M:%SZ},{value}"
        for hour, value in enumerate(flow(HOURS, drops=DRY))
    ]
    file.write_text("\n".join(["sign,time,value", *rows]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def events(project: Path) -> Path:
    file = project / "events.csv"
    file.write_text(
        f"risk,place,start,end\n{SUPPLY},town.east.river,2024-01-02T06:00:00Z,2024-01-02T08:00:00Z\n", encoding="utf-8"
    )
    return file


def test_a_pack_is_judged_by_files_and_against_another(
    cityforge: Command, pack: Path, readings: Path, events: Path
) -> None:
    outcome = cityforge("rules", "backtest", pack, "--readings", readings, "--events", events, "--json")
    assert outcome.code == 0, outcome.err
    score = outcome.data["risks"][SUPPLY]
    assert outcome.data["instants"] == HOURS
    assert score["episodes"]["pod"]["value"] == 1
    assert score["probability"]["onsets"] == 3
    assert outcome.data["silent"] == [f"{SUPPLY}.shock", f"{SUPPLY}.low_ahead"]
    other = write_pack(pack.parent / "other")
    rule = other / "rules" / "supply.yaml"
    rule.write_text(rule.read_text(encoding="utf-8").replace('"<": 5 l/s', '"<": 1 l/s'), encoding="utf-8")
    outcome = cityforge(
        "rules", "backtest", other, "--readings", readings, "--events", events, "--against", pack, "--json"
    )
    change = outcome.data["changes"][SUPPLY]
    assert change["episodes_after"] < change["episodes_before"]
    assert change["cost"]["value"] > 0


def test_the_inbox_is_replayed_and_kept(cityforge: Command, pack: Path, project: Path) -> None:
    (project / "cityforge.toml").write_text(f'packs = ["{pack}"]\n', encoding="utf-8")
    with Workspace(load_settings(None)) as workspace:
        workspace.import_packs()
        told = [
            Reading(sign=PUMP, time=from_ms(START_MS + hour * HOUR_MS), value=value)
            for hour, value in enumerate(flow(HOURS, drops=DRY))
        ]
        workspace.store.inbox.append(told, START_MS + HOURS * HOUR_MS)
        workspace.store.inbox.append_tick(START_MS + HOURS * HOUR_MS)
    first = cityforge("rules", "backtest", pack, "--keep", "kept.parquet", "--json")
    assert first.code == 0, first.err
    again = cityforge("rules", "backtest", pack, "--readings", "kept.parquet", "--json")
    assert again.data["risks"][SUPPLY]["episodes"] == first.data["risks"][SUPPLY]["episodes"] | {
        "alerts_per_operator_h": again.data["risks"][SUPPLY]["episodes"]["alerts_per_operator_h"]
    }
    assert first.data["risks"][SUPPLY]["episodes"]["episodes"] > 0
    assert first.data["risks"][SUPPLY]["episodes"]["far"]["value"] is None
    shown = cityforge("rules", "backtest", pack, "--readings", "kept.parquet")
    assert "what needs the truth is not measured" in shown.out


def test_wrong_files_are_explained(cityforge: Command, pack: Path, readings: Path, events: Path) -> None:
    events.write_text("risk,place,start,end\nflood,nowhere,2024,2025\n", encoding="utf-8")
    outcome = cityforge("rules", "backtest", pack, "--readings", readings, "--events", events, "--json")
    assert outcome.code == 2
    assert outcome.data["error"]["problems"]
    missing = cityforge("rules", "backtest", pack, "--readings", "none.parquet")
    assert missing.code == 1
    assert "none.parquet" in missing.err
