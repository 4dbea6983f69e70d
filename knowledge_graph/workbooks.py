"""A whole rule as a spreadsheet, and tables and numbers put back into its file.

The sheet ``numbers`` has a line for each frequency, level, threshold and weight; each decision table has a sheet of its
own. What is put back changes those numbers and tables alone; comments outside a replaced table stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from contracts import KnowledgeError

from .authoring import COMPARISONS, NAME
from .cells import ANYTHING
from .documents import Document, Location, parse_document
from .exchange import Line, read_book, table_lines, table_of_lines, write_book
from .formatting import format_document
from .manuscript import Branch, Entry, read_manuscript
from .revising import revise
from .ruleset import Rule
from .tables import DecisionTable

NUMBERS = "numbers"
_HEADER = ("where", "what", "value", "of")
_PAIRS = (("yes", "of"), ("stops", "of"), ("cost", "loss"))
_SINGLE = (*COMPARISONS, "clear", "at", "for", "within", "count", "weight", "rise_per", "drop_per", "stuck", "absent")
_SECTIONS = ("signs", "causes", "inhibits", "leak", "base_rate", "levels")


def write_workbook(rule: Rule, text: str) -> bytes:
    """Return a rule as a workbook.

    Args:
        rule: the rule.
        text: its file.

    Raises:
        KnowledgeError: if the file cannot be read.
    """
    document = _document(rule.file, text)
    titles = {name: cause.title for name, cause in rule.words.causes.items()}
    titles |= {name: inhibitor.title for name, inhibitor in rule.words.inhibits.items()}
    lines: list[Line] = [_HEADER]
    for where, keys in _numbers(document):
        node = _at(document.data, where)
        title = titles.get(str(where[1])) if len(where) > 1 else None
        what = str(title) if title is not None else ""
        if isinstance(keys, tuple):
            lines.append((".".join(map(str, where)), what, node[keys[0]], node[keys[1]]))
        else:
            lines.append((".".join(map(str, (*where, keys))), what, node[keys], None))
    return write_book({NUMBERS: lines, **{name: table_lines(table) for name, table in rule.tables.items()}})


def apply_workbook(name: str, text: str, content: bytes) -> str:
    """Return a rule file with the numbers and tables of a workbook, in canonical form.

    Args:
        name: of the file, for messages.
        text: the file.
        content: the workbook.

    Raises:
        KnowledgeError: if the workbook cannot be read, or names a number that the file does not have.
    """
    sheets = read_book(content)
    document = _document(name, text)
    revised = revise(text, _edits(document, sheets.pop(NUMBERS, [])))
    for sheet, lines in sheets.items():
        table = table_of_lines(lines)
        revised = put_table(name, revised, table.name or sheet, table)
    return _formatted(name, revised)


def put_table(name: str, text: str, table_name: str, table: DecisionTable) -> str:
    """Return a rule file in canonical form with a decision table added or replaced.

    Raises:
        KnowledgeError: if the file cannot be read or the name is none.
    """
    _document(name, text)
    if re.fullmatch(NAME, table_name) is None:
        message = f"{table_name!r} is no name of a table. Use letters, digits and underscores, a letter first."
        raise KnowledgeError(message)
    written = json.dumps(_as_words(table), ensure_ascii=False)
    root = read_manuscript(text)
    tables = _entry(root, "tables")
    old = None if tables is None else _entry(tables.node, table_name)
    if old is not None:
        changed = text[: old.node.start] + written + text[old.node.end :]
    elif tables is not None and isinstance(tables.node, Branch) and not tables.node.is_flow:
        line_start = text.rfind("\n", 0, tables.node.start) + 1
        indent = text[line_start : tables.node.start]
        changed = text[:line_start] + f"{indent}{table_name}: {written}\n" + text[line_start:]
    elif tables is not None:
        message = f"{name}: the section 'tables' stands in braces. Run `cityforge rules fmt` on the file first."
        raise KnowledgeError(message)
    else:
        changed = f"{text.rstrip()}\ntables:\n  {table_name}: {written}\n"
    return _formatted(name, changed)


def _as_words(table: DecisionTable) -> dict[str, Any]:
    rows = [
        {**{column: str(cell) for column, cell in row.cells.items() if cell != ANYTHING}, "law": row.outcome}
        for row in table.rows
    ]
    return {"hit": table.policy.value, "rows": rows}


def _entry(node: Any, key: str) -> Entry | None:
    entries = node.entries if isinstance(node, Branch) else []
    return next((one for one in entries if one.key is not None and one.key.text == key), None)


def _numbers(document: Document) -> Iterator[tuple[Location, tuple[str, str] | str]]:
    """Yield where numbers stand: the mapping, and the pair or the single key in it."""
    data = document.data if isinstance(document.data, dict) else {}
    for section in _SECTIONS:
        yield from _numbers_in((section,), data.get(section))


def _numbers_in(where: Location, node: Any) -> Iterator[tuple[Location, tuple[str, str] | str]]:
    if not isinstance(node, Mapping):
        return
    for pair in _PAIRS:
        if all(key in node for key in pair):
            yield where, pair
            break
    if where[0] != "levels":
        for key in _SINGLE:
            if key in node and not isinstance(node[key], Mapping | list):
                yield where, key
    for key, inner in node.items():
        yield from _numbers_in((*where, key), inner)


def _edits(document: Document, lines: list[Line]) -> dict[Location, float | str]:
    known: dict[str, tuple[Location, tuple[str, ...]]] = {}
    for where, pair in _numbers(document):
        path = where if isinstance(pair, tuple) else (*where, pair)
        known[".".join(map(str, path))] = (where, pair if isinstance(pair, tuple) else (pair,))
    edits: dict[Location, float | str] = {}
    for line in lines[1:]:
        padded = (*line, None, None, None)
        found = known.get(str(padded[0]))
        if found is None:
            message = f"The sheet {NUMBERS!r} names {padded[0]!r}, which {document.name} does not have. Export it anew."
            raise KnowledgeError(message)
        where, keys = found
        for key, value in zip(keys, padded[2:4], strict=False):
            if value is None or isinstance(value, bool):
                message = f"The sheet {NUMBERS!r} has no value for {padded[0]}. Fill it in, or export the rule anew."
                raise KnowledgeError(message)
            if value != _at(document.data, where)[key]:
                edits[(*where, key)] = value if isinstance(value, int | float) else str(value)
    return edits


def _at(data: Any, where: Location) -> Any:
    for key in where:
        data = data[key]
    return data


def _document(name: str, text: str) -> Document:
    problems: list[Any] = []
    document = parse_document(name, text, problems)
    if document is None:
        raise KnowledgeError(str(problems[0]))
    return document


def _formatted(name: str, text: str) -> str:
    problems: list[Any] = []
    formatted = format_document(name, text, problems)
    if formatted is None:
        raise KnowledgeError(str(problems[0]))
    return formatted
