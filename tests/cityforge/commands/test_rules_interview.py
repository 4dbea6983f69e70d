"""A veteran is asked at a terminal, and what is written needs no edit."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from cityforge.packs import SCENARIOS
from tests.cityforge.conftest import Command

ANSWERS = """\
water_main.burst
爆管
?
Burst
水务部门
back
供水管理所
老王
?
water_main.flow
低于 60
> 150 l/s
2h
10次里8次
1000次里1次

没有
6h
500次里1次
附近施工
10次里3次

100次里1次
没有
没有
10里1
10里3
没有
SOP-WM-01
"""


@pytest.fixture
def pack(project: Path) -> Path:
    shutil.copytree(SCENARIOS / "construction" / "water_main", project / "pack")
    return project / "pack"


def told(monkeypatch: pytest.MonkeyPatch, answers: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))


def test_what_was_said_is_written_checked_and_tested(
    cityforge: Command, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ANSWERS.replace("低于 60\n", "")
    told(monkeypatch, answers)
    outcome = cityforge("rules", "interview", "pack", "--json")
    assert outcome.code == 0, outcome.err
    path = Path(outcome.data["file"])
    assert path == pack / "rules" / "burst.yaml"
    assert "供水管理所" in path.read_text(encoding="utf-8")
    assert "water_main.flow  供水干管流量" in outcome.err
    assert outcome.data["level"] == "orange"
    tested = cityforge("rules", "test", "pack", "--json")
    assert tested.code == 0, tested.err
    assert "water_main.burst" in {one["rule"] for one in tested.data["tests"]}
    assert cityforge("rules", "fmt", "--check", "pack").code == 0


def test_a_name_that_is_taken_gets_a_number(cityforge: Command, pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pack / "rules" / "burst.yaml").write_text("id: [", encoding="utf-8")
    told(monkeypatch, ANSWERS.replace("低于 60\n", ""))
    outcome = cityforge("rules", "interview", "pack")
    assert outcome.code == 0, outcome.err
    assert (pack / "rules" / "burst_2.yaml").is_file()
    assert "检查和自带测试都通过" in outcome.out


def test_answers_that_end_early_write_nothing(cityforge: Command, pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, "water_main.burst\n爆管\n")
    outcome = cityforge("rules", "interview", "pack", "--language", "en")
    assert outcome.code == 1
    assert "ended before the question 'title_en'" in outcome.err
    assert "What is the id of this risk?" in outcome.err
    assert not (pack / "rules" / "burst.yaml").exists()


def test_a_file_that_is_there_is_not_overwritten(
    cityforge: Command, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, "")
    outcome = cityforge("rules", "interview", "pack", "--to", pack / "rules" / "leak.yaml")
    assert outcome.code == 1
    assert "there already" in outcome.err
