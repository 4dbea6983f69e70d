"""Decision tables as DMN 1.3 XML and as a spreadsheet, both ways, for veterans who live in one.

Reading is bounded and refuses document types and entities; formulas in a workbook are not evaluated.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl

from contracts import KnowledgeError

from .cells import Interval
from .tables import DecisionTable, HitPolicy, make_table

_DMN = "https://www.omg.org/spec/DMN/20191111/MODEL/"
MAXIMUM_BYTES = 4 * 1024 * 1024
MAXIMUM_UNPACKED_BYTES = 64 * 1024 * 1024
_MAXIMUM_COLUMNS = 64
_MAXIMUM_ROWS = 1000
_MAXIMUM_SHEETS = 32
_LONGEST_NAME = 31  # of a sheet, by the format
Line = tuple[Any, ...]
_FORBIDDEN = (b"<!DOCTYPE", b"<!ENTITY")


def write_dmn(table: DecisionTable) -> str:
    """Return a table as a DMN document."""
    ET.register_namespace("", _DMN)
    root = ET.Element(f"{{{_DMN}}}definitions", {"name": table.name, "id": "definitions", "namespace": "urn:rules"})
    decision = ET.SubElement(root, f"{{{_DMN}}}decision", {"id": "decision", "name": table.name})
    body = ET.SubElement(decision, f"{{{_DMN}}}decisionTable", {"id": "table", "hitPolicy": table.policy.name})
    for index, name in enumerate(table.inputs):
        given = ET.SubElement(body, f"{{{_DMN}}}input", {"id": f"input{index}", "label": name})
        expression = ET.SubElement(given, f"{{{_DMN}}}inputExpression", {"id": f"in{index}", "typeRef": "number"})
        ET.SubElement(expression, f"{{{_DMN}}}text").text = name
    ET.SubElement(body, f"{{{_DMN}}}output", {"id": "output", "name": "outcome", "typeRef": "string"})
    for index, row in enumerate(table.rows):
        rule = ET.SubElement(body, f"{{{_DMN}}}rule", {"id": f"rule{index}"})
        for column, name in enumerate(table.inputs):
            entry = ET.SubElement(rule, f"{{{_DMN}}}inputEntry", {"id": f"cell{index}_{column}"})
            ET.SubElement(entry, f"{{{_DMN}}}text").text = _feel(row.cell(name))
        said = ET.SubElement(rule, f"{{{_DMN}}}outputEntry", {"id": f"outcome{index}"})
        ET.SubElement(said, f"{{{_DMN}}}text").text = f'"{row.outcome}"'
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def read_dmn(content: bytes) -> DecisionTable:
    """Read the first decision table of a DMN document.

    Raises:
        KnowledgeError: if it is too large, no XML, holds a document type, or no table that we can read.
    """
    if len(content) > MAXIMUM_BYTES or any(word in content.upper() for word in _FORBIDDEN):
        message = (
            f"The DMN document is larger than {MAXIMUM_BYTES} bytes or declares a document type. Export it plainly."
        )
        raise KnowledgeError(message)
    try:
        root = ET.fromstring(content)  # noqa: S314 - document types and entities were refused above
    except ET.ParseError as exc:
        message = f"The DMN document is no XML: {exc}. Export it again."
        raise KnowledgeError(message) from exc
    body = next((element for element in root.iter() if _local(element) == "decisionTable"), None)
    if body is None:
        message = "The DMN document holds no decision table. Export one that does."
        raise KnowledgeError(message)
    inputs = [_text_of(element) for element in body if _local(element) == "input"]
    rows = []
    for rule in (element for element in body if _local(element) == "rule"):
        cells = [_text_of(entry) for entry in rule if _local(entry) == "inputEntry"]
        said = [_text_of(entry).strip('"') for entry in rule if _local(entry) == "outputEntry"]
        if len(cells) != len(inputs) or len(said) != 1:
            message = (
                f"A rule of the DMN table has {len(cells)} cells and {len(said)} outcomes for {len(inputs)} inputs."
            )
            raise KnowledgeError(message)
        rows.append((dict(zip(inputs, cells, strict=True)), said[0]))
    name = next((element.get("name", "") for element in root.iter() if _local(element) == "decision"), "table")
    return make_table(name, rows, policy=_policy(body.get("hitPolicy", "UNIQUE")))


def write_sheet(table: DecisionTable) -> bytes:
    """Return a table as a workbook: a header of inputs and ``outcome``, one row a line, the hit policy above."""
    return write_book({"rules": table_lines(table)})


def read_sheet(content: bytes) -> DecisionTable:
    """Read a workbook that :func:`write_sheet` wrote or a veteran filled in the same shape.

    Raises:
        KnowledgeError: if it is too large, no workbook, or a cell cannot be read.
    """
    return table_of_lines(next(iter(read_book(content).values()), []))


def table_lines(table: DecisionTable) -> list[Line]:
    """Return a table as the lines of a sheet."""
    rows = [(*(str(row.cell(name)) for name in table.inputs), row.outcome) for row in table.rows]
    return [(table.name, table.policy.value), (*table.inputs, "outcome"), *rows]


def table_of_lines(lines: list[Line]) -> DecisionTable:
    """Read a table from the lines of a sheet.

    Raises:
        KnowledgeError: if there is no header, or a cell cannot be read.
    """
    if len(lines) < 2 or len(lines) > _MAXIMUM_ROWS + 2 or "outcome" not in lines[1]:  # noqa: PLR2004 - two headers
        message = f"The workbook has no header with 'outcome' in its second line, or over {_MAXIMUM_ROWS} rows."
        raise KnowledgeError(message)
    last = lines[1].index("outcome")
    inputs = [str(name) for name in lines[1][:last]]
    rows = [(_cells(inputs, line), str(line[last] if len(line) > last else "")) for line in lines[2:]]
    policy = str(lines[0][1] or "unique") if len(lines[0]) > 1 else "unique"
    return make_table(str(lines[0][0]), rows, policy=_policy(policy))


def write_book(sheets: Mapping[str, Sequence[Line]]) -> bytes:
    """Return a workbook; text stays text, so that ``= 3`` is no formula."""
    book = openpyxl.Workbook()
    for sheet in book.worksheets:
        book.remove(sheet)
    for name, lines in sheets.items():
        sheet = book.create_sheet(name[:_LONGEST_NAME])
        for line in lines:
            sheet.append(line)
        for cell in (cell for line in sheet.iter_rows() for cell in line if isinstance(cell.value, str)):
            cell.data_type = "s"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def read_book(content: bytes) -> dict[str, list[Line]]:
    """Read the sheets of a workbook, empty lines left out.

    Raises:
        KnowledgeError: if it is too large or no workbook.
    """
    _check_archive(content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = {
            sheet.title: list(sheet.iter_rows(values_only=True, max_row=_MAXIMUM_ROWS + 3, max_col=_MAXIMUM_COLUMNS))
            for sheet in book.worksheets[:_MAXIMUM_SHEETS]
        }
    except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile, ET.ParseError) as exc:
        message = f"The workbook cannot be read: {exc}. Save it as .xlsx."
        raise KnowledgeError(message) from exc
    return {name: [line for line in lines if any(cell is not None for cell in line)] for name, lines in sheets.items()}


def _cells(inputs: list[str], line: Line) -> dict[str, str | float]:
    return {name: "-" if cell is None else str(cell) for name, cell in zip(inputs, line, strict=False)}


def _check_archive(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as exc:
        message = "The workbook is no .xlsx file. Save it as .xlsx."
        raise KnowledgeError(message) from exc
    if len(content) > MAXIMUM_BYTES or unpacked > MAXIMUM_UNPACKED_BYTES:
        message = f"The workbook holds {unpacked} bytes unpacked, more than {MAXIMUM_UNPACKED_BYTES}. Split it."
        raise KnowledgeError(message)


def _policy(name: str) -> HitPolicy:
    try:
        return HitPolicy(name.lower())
    except ValueError as exc:
        known = ", ".join(HitPolicy)
        message = f"The hit policy {name!r} is unknown. Use one of: {known}."
        raise KnowledgeError(message) from exc


def _feel(cell: Interval) -> str:
    return str(cell).removeprefix("= ")


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text_of(element: ET.Element) -> str:
    found = next((child.text for child in element.iter() if _local(child) == "text" and child.text), "-")
    return found.strip()
