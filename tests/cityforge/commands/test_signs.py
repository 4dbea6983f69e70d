"""Signs from one CSV, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cityforge.conftest import Command

HEADER = "id,title_zh,title_en,place,unit,interval_s,source,domain,harmful,minimum,maximum"
PLACES = (
    "id,name_zh,name_en,level,parent\ncity,市,City,city,\neast,东区,East,district,city\nwest,西区,West,district,city\n"
)


@pytest.fixture
def places(project: Path) -> Path:
    file = project / "places.csv"
    file.write_text(PLACES, encoding="utf-8")
    return file


def sign(number: int, place: str = "east") -> str:
    return f"meter.{number:04d},流量{number},Flow {number},{place},l/s,300,scada,construction,both,0,400"


def write(folder: Path, *rows: str) -> Path:
    file = folder / "signs.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return file


def test_2600_signs_come_in_from_one_file_and_again_without_harm(
    cityforge: Command, project: Path, places: Path
) -> None:
    file = write(project, *(sign(number, ("east", "west")[number % 2]) for number in range(2600)))
    for _ in range(2):
        outcome = cityforge("signs", "import", file, "--places", places, "--json")
        assert outcome.code == 0, outcome.err
        assert outcome.data == {"signs": 2600, "places": 3, "written": True}
    assert len(cityforge("signs", "list", "--json").data["signs"]) == 2600
    assert len(cityforge("signs", "list", "--place", "west", "--json").data["signs"]) == 1300
    shown = cityforge("signs", "list", "--limit", "3").out
    assert "2600 signs" in shown
    assert "and 2597 more" in shown


def test_every_wrong_row_is_named_with_its_line_and_nothing_is_written(
    cityforge: Command, project: Path, places: Path
) -> None:
    rows = [
        sign(1),
        sign(2).replace("300", "every five minutes"),
        sign(3).replace("construction", "weather"),
        sign(4).replace("both,0,400", "both,400,0"),
        "bad id!" + sign(5)[10:],
        sign(6) + ",one,cell,more",
        sign(1),
    ]
    outcome = cityforge("signs", "import", write(project, *rows), "--places", places, "--json")
    assert outcome.code == 2
    problems = outcome.data["error"]["problems"]
    assert [problem["where"] for problem in problems] == [
        *(f"signs.csv:{line}" for line in (3, 4, 5, 6, 7)),
        "meter.0001",
    ]
    assert "every five minutes" in problems[0]["message"]
    assert "minimum 400.0 is not below maximum 0.0" in problems[2]["message"]
    assert "the id stands twice" in problems[5]["message"]
    assert cityforge("signs", "list", "--json").data["signs"] == []


def test_a_sign_at_an_unknown_place_is_refused(cityforge: Command, project: Path) -> None:
    outcome = cityforge("signs", "import", write(project, sign(1)))
    assert outcome.code == 2
    assert "signs.csv: meter.0001: its place 'east' is unknown. Import it with --places FILE.csv." in outcome.err


def test_a_check_writes_nothing(cityforge: Command, project: Path, places: Path) -> None:
    outcome = cityforge("signs", "import", write(project, sign(1)), "--places", places, "--check", "--json")
    assert outcome.data == {"signs": 1, "places": 3, "written": False}
    assert cityforge("signs", "list", "--json").data["signs"] == []


def test_a_file_that_is_not_there_is_named(cityforge: Command, project: Path) -> None:
    outcome = cityforge("signs", "import", "nowhere.csv")
    assert outcome.code == 2
    assert "nowhere.csv: cannot be read" in outcome.err
