"""A pack's rules in a spreadsheet, as DMN and as a graph, and back without losing a comment."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import networkx as nx
import openpyxl
import pytest

from cityforge.packs import SCENARIOS
from tests.cityforge.conftest import Command


@pytest.fixture
def pack(project: Path) -> Path:
    shutil.copytree(SCENARIOS / "construction" / "underpass", project / "pack")
    return project / "pack"


def comments(path: Path) -> list[str]:
    return [line.partition("#")[2].strip() for line in path.read_text(encoding="utf-8").splitlines() if "#" in line]


def test_a_spreadsheet_goes_out_is_changed_and_comes_back(cityforge: Command, pack: Path, project: Path) -> None:
    flood = pack / "rules" / "flood.yaml"
    before, remarks = flood.read_text(encoding="utf-8"), comments(flood)
    assert cityforge("rules", "export", "pack", "flood.xlsx", "--risk", "underpass.flood").code == 0
    assert cityforge("rules", "import", "pack", "flood.xlsx", "--risk", "flood", "--json").data["changes"] == []
    assert flood.read_text(encoding="utf-8") == before
    book = openpyxl.load_workbook(project / "flood.xlsx")
    for line in book["numbers"].iter_rows(min_row=2):
        if line[0].value == "causes.downpour":
            line[2].value = 5
        if line[0].value == "signs.wet.>=":
            line[2].value = "16 cm"
    book["closing"]["A3"].value = ">= 24"
    book.save(project / "flood.xlsx")
    outcome = cityforge("rules", "import", "pack", "flood.xlsx", "--risk", "flood", "--json")
    assert outcome.code == 0, outcome.err
    assert {one["path"]: one["after"] for one in outcome.data["changes"]} == {
        "signs.wet.>=": "16 cm",
        "causes.downpour": "5/10",
        "tables.closing.rows.1": "depth: >= 24, law: close_road",
    }
    assert comments(flood) == remarks
    assert cityforge("rules", "fmt", "--check", "pack").code == 0
    assert cityforge("rules", "check", "pack").code == 0


def test_a_dmn_table_goes_out_and_comes_back(cityforge: Command, pack: Path, project: Path) -> None:
    assert cityforge("rules", "export", "pack", "signal.dmn", "--risk", "storm").code == 0
    dmn = project / "signal.dmn"
    dmn.write_text(dmn.read_text(encoding="utf-8").replace("&gt;= 35", "&gt;= 33"), encoding="utf-8")
    outcome = cityforge("rules", "import", "pack", "signal.dmn", "--risk", "storm", "--json")
    assert [(one["path"], one["after"]) for one in outcome.data["changes"]] == [
        ("tables.signal.rows.5", "rain_1h: >= 33, law: signal_blue")
    ]
    added = cityforge("rules", "import", "pack", "signal.dmn", "--risk", "storm", "--table", "other", "--json")
    assert {one["path"].rpartition(".")[0] for one in added.data["changes"]} >= {"tables.other.rows"}
    assert cityforge("rules", "check", "pack").code == 0


def test_what_would_not_pass_is_not_written(cityforge: Command, pack: Path, project: Path) -> None:
    storm = pack / "rules" / "storm.yaml"
    before = storm.read_text(encoding="utf-8")
    cityforge("rules", "export", "pack", "signal.dmn", "--risk", "storm")
    dmn = project / "signal.dmn"
    dmn.write_text(dmn.read_text(encoding="utf-8").replace("rain_6h", "snow"), encoding="utf-8")
    outcome = cityforge("rules", "import", "pack", "signal.dmn", "--risk", "storm")
    assert outcome.code == 2
    assert "the column 'snow' is no entry under signs" in outcome.err
    assert storm.read_text(encoding="utf-8") == before
    named = cityforge("rules", "import", "pack", "signal.dmn", "--risk", "storm", "--table", "a: b")
    assert "is no name of a table" in named.err


def test_the_graph_is_read_by_graph_tools(cityforge: Command, pack: Path, project: Path) -> None:
    assert cityforge("rules", "export", "pack", "graph.graphml").code == 0
    graph = nx.read_graphml(io.BytesIO((project / "graph.graphml").read_bytes()), force_multigraph=True)
    assert {"risk", "cause", "inhibitor", "standard", "place"} <= {data["kind"] for _, data in graph.nodes(data=True)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("export", "pack", "x.pdf"), "none of .graphml"),
        (("export", "pack", "x.xlsx"), "Name one with --risk"),
        (("export", "pack", "x.dmn", "--risk", "pump_fault"), "Name one with --table: none"),
        (("export", "pack", "no/x.graphml"), "cannot be written"),
        (("import", "pack", "x.xlsx", "--risk", "flood"), "cannot be read"),
        (("import", "pack", "pack/pack.toml", "--risk", "flood"), "neither .xlsx nor .dmn"),
    ],
)
def test_what_cannot_be_exchanged_says_why(
    cityforge: Command, pack: Path, arguments: tuple[str, ...], says: str
) -> None:
    outcome = cityforge("rules", *arguments)
    assert outcome.code == 1
    assert says in outcome.err
