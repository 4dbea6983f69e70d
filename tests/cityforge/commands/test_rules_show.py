"""One risk as a bow-tie, in the terminal and as a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cityforge.conftest import Command


def test_the_terminal_shows_causes_risk_levels_and_what_to_do(cityforge: Command, project: Path) -> None:
    outcome = cityforge("rules", "show", "supply_loss", "--pack", "water_main", "--language", "en")
    assert outcome.code == 0, outcome.err
    for word in (
        "water_main.flow < 95 l/s",
        "forecast exceedance water_main.flow < 95 l/s",
        "red",
        "SOP-WM-01",
        "onset within",
    ):
        assert word in outcome.out


def test_json_holds_the_whole_bow_tie(cityforge: Command, project: Path) -> None:
    tie = cityforge("rules", "show", "water_main.supply_loss", "--pack", "water_main", "--json").data["bow_tie"]
    assert {"risk", "causes", "inhibitors", "evidence", "levels", "laws", "actions"} == set(tie)
    assert tie["levels"][0]["name"] == "red"
    assert tie["actions"][0]["name"] == "SOP-WM-01"


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_picture_is_drawn_the_same_each_time(cityforge: Command, project: Path, suffix: str) -> None:
    drawn = []
    for name in ("one", "two"):
        outcome = cityforge("rules", "show", "supply_loss", "--pack", "water_main", "-o", f"{name}{suffix}")
        assert outcome.code == 0, outcome.err
        drawn.append((project / f"{name}{suffix}").read_bytes())
    assert drawn[0] == drawn[1]
    if suffix == ".svg":
        assert ET.fromstring(drawn[0]).tag.endswith("svg")  # noqa: S314 - drawn a moment ago


def test_what_cannot_be_shown_says_why(cityforge: Command, project: Path) -> None:
    unknown = cityforge("rules", "show", "flood", "--pack", "water_main")
    assert unknown.code == 1
    assert "water_main.supply_loss" in unknown.err
    ending = cityforge("rules", "show", "supply_loss", "--pack", "water_main", "-o", "x.gif")
    assert "neither .svg nor .png" in ending.err
    nowhere = cityforge("rules", "show", "supply_loss", "--pack", "water_main", "-o", "no/x.svg")
    assert "cannot be written" in nowhere.err
