"""Tables through DMN and a spreadsheet and back."""

from __future__ import annotations

import io
import zipfile

import pytest

from contracts import KnowledgeError
from knowledge_graph.exchange import read_dmn, read_sheet, write_dmn, write_sheet
from knowledge_graph.tables import DecisionTable

from .test_tables import RAIN


def content(table: DecisionTable) -> object:
    return table.name, table.policy, table.inputs, [(dict(row.cells), row.outcome) for row in table.rows]


def test_dmn_reads_back() -> None:
    assert content(read_dmn(write_dmn(RAIN).encode())) == content(RAIN)


def test_a_spreadsheet_reads_back() -> None:
    assert content(read_sheet(write_sheet(RAIN))) == content(RAIN)


@pytest.mark.parametrize(
    "document",
    [
        b"<a/>",
        b"no xml",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a/>',
        write_dmn(RAIN).replace("UNIQUE", "MAYBE").encode(),
        write_dmn(RAIN).replace("&gt;= 80", "often").encode(),
        write_dmn(RAIN).replace("outputEntry", "annotation").encode(),
    ],
)
def test_dmn_that_cannot_be_read_is_refused(document: bytes) -> None:
    with pytest.raises(KnowledgeError, match=r"DMN|hit policy|Correct the cell"):
        read_dmn(document)


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (65 * 1024 * 1024))
    return buffer.getvalue()


def empty_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"b")
    return buffer.getvalue()


@pytest.mark.parametrize("make", [bomb, empty_archive, lambda: b"no workbook"], ids=["bomb", "empty", "text"])
def test_a_workbook_that_cannot_be_read_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(KnowledgeError, match="workbook"):
        read_sheet(make())
