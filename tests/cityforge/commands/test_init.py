"""From a CSV of one's own to a project that checks, trains and may be promoted."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts import load_pack
from tests.cityforge.conftest import Command


def write_measurements(folder: Path, count: int) -> Path:
    rows = []
    for hour in range(count):
        time = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        flow = 100 + 8 * math.sin(2 * math.pi * hour / 24) + 0.7 * math.sin(1.7 * hour * hour)
        if hour % 97:
            rows.append(f"{time:%Y-%m-%d %H:%M},{flow:.3f}")
    file = folder / "my.csv"
    file.write_text("time,flow (l/s)\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return file


@pytest.mark.slow
def test_a_csv_becomes_a_project_that_checks_and_trains(
    cityforge: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cityforge("init", "--from", write_measurements(project, 24 * 45), "--to", "city", "--json")
    assert made.code == 0, made.err
    found = made.data["found"]
    assert found["series"][0]["interval_s"] == 3600
    assert found["series"][0]["missing"] == 24 * 45 // 97
    assert found["assumed_zone"] == "Asia/Shanghai"
    monkeypatch.chdir(project / "city")
    assert len(load_pack(project / "city").signs) == 1
    assert cityforge("rules", "check").code == 0
    tested = cityforge("rules", "test", "--json")
    assert tested.code == 0, tested.err
    trained = cityforge("train", "--promote", "--json")
    assert trained.code in (0, 3), trained.err
    assert trained.data["promoted"], trained.err
    assert cityforge("models", "--json").data["uncovered"] == []


@pytest.mark.parametrize(
    ("header", "unit", "written"), [("水位 cm", "cm", "cm"), ("level_cm", "cm", "cm"), ("level", "", "1")]
)
def test_a_long_file_with_a_column_of_values_makes_a_project_that_loads(
    cityforge: Command, project: Path, header: str, unit: str, written: str
) -> None:
    rows = [
        f"{name};{datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour):%Y/%m/%d %H:%M};{50 + hour % 24}"
        for hour in range(24 * 10)
        for name in ("A1", "B2")
    ]
    (project / "long.csv").write_text(f"监测点;时间;{header}\n" + "\n".join(rows) + "\n", encoding="utf-8")
    made = cityforge("init", "--from", "long.csv", "--to", "city", "--json")
    assert made.code == 0, made.err
    assert [one["unit"] for one in made.data["found"]["series"]] == [unit, unit]
    assert [sign.unit for sign in load_pack(project / "city").signs] == [written, written]
    shown = cityforge("init", "--from", "long.csv", "--to", "again")
    assert ("set it in signs.csv" in shown.out) is (unit == "")


def test_a_pack_is_copied_whole_and_never_over_another(cityforge: Command, project: Path) -> None:
    made = cityforge("init", "--pack", "water_main", "--to", "mine", "--json")
    assert made.code == 0, made.err
    assert made.data["signs"] == ["water_main.flow"]
    assert (project / "mine" / "rules" / "supply_loss.yaml").is_file()
    again = cityforge("init", "--pack", "water_main", "--to", "mine")
    assert again.code == 1
    assert "not empty" in again.err


def test_one_of_pack_and_csv_is_asked_for(cityforge: Command, project: Path) -> None:
    outcome = cityforge("init")
    assert outcome.code == 2
    assert "construction.water_main" in outcome.err


def test_an_unknown_zone_is_refused(cityforge: Command, project: Path) -> None:
    outcome = cityforge("init", "--from", write_measurements(project, 100), "--timezone", "Mars/Olympus")
    assert outcome.code == 1
    assert "Unknown time zone 'Mars/Olympus'" in outcome.err
