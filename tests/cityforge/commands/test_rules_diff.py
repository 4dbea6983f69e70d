"""A change of rules is told as a reviewer would tell it, with the past cases that it moves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cityforge.packs import SCENARIOS
from tests.cityforge.conftest import Command

CASES = "id,risk,low\nburst,water_main.supply_loss,24\nlow,water_main.supply_loss,93\nusual,,101\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)  # noqa: S607 - as users have it


@pytest.fixture
def pack(project: Path) -> Path:
    shutil.copytree(SCENARIOS / "construction" / "water_main", project / "pack")
    return project / "pack"


def change(pack: Path, old: str, new: str) -> None:
    file = pack / "rules" / "supply_loss.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_two_folders_and_past_cases(cityforge: Command, pack: Path, project: Path) -> None:
    shutil.copytree(pack, project / "new")
    change(project / "new", '"<": 95 l/s', '"<": 90 l/s')
    (project / "cases.csv").write_text(CASES, encoding="utf-8")
    outcome = cityforge("rules", "diff", "pack", "new", "--cases", "cases.csv", "--json")
    assert outcome.code == 0, outcome.err
    assert [(one["path"], one["before"], one["after"]) for one in outcome.data["changes"]] == [
        ("signs.low.<", "95 l/s", "90 l/s")
    ]
    cases = outcome.data["cases"]
    assert (cases["asked"], cases["changed"], cases["text"]["en"]) == (3, 1, "1 of 3 past cases change level")
    assert cases["changes"][0]["case"] == "low"
    told = cityforge("rules", "diff", "pack", "new", "--cases", "cases.csv")
    assert "95 l/s → 90 l/s" in told.out
    assert "1 of 3 past cases change level" in told.out


def test_the_working_tree_against_a_revision(cityforge: Command, pack: Path, project: Path) -> None:
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "one")
    assert cityforge("rules", "diff", "pack", "--json").data["changes"] == []
    change(pack, "do: SOP-WM-01", "do: SOP-WM-02")
    assert [one["path"] for one in cityforge("rules", "diff", "pack", "--json").data["changes"]] == ["do"]
    outcome = cityforge("rules", "diff", "pack", "--since", "nowhere")
    assert outcome.code == 1
    assert "Name a revision that holds the folder" in outcome.err


def test_outside_a_repository_the_remedy_is_said(cityforge: Command, pack: Path) -> None:
    outcome = cityforge("rules", "diff", "pack")
    assert outcome.code == 1
    assert "git rev-parse failed" in outcome.err


def test_cases_that_cannot_be_read_are_listed(cityforge: Command, pack: Path, project: Path) -> None:
    (project / "cases.csv").write_text("id,low\na,deep\n", encoding="utf-8")
    outcome = cityforge("rules", "diff", "pack", "pack", "--cases", "cases.csv")
    assert outcome.code == 2
    assert "cases.csv:2" in outcome.err
    assert cityforge("rules", "diff", "pack", "pack", "--cases", "none.csv").code == 1
