"""Decision tables of rule files: checked as tables, then spread into conditions that the clock can run.

Each cell becomes a condition, each row an entry that needs its cells together; a row of ``hit: first`` is excluded by
the rows above it. So timers, thresholds, traces and mutations see nothing new.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts import Problem, SignCatalogue, Text

from .authoring import DecisionWords, RuleWords, SignWords
from .cells import ANYTHING, Interval, parse_cell
from .documents import Document, Location
from .quantities import parse_quantity
from .tables import DecisionTable, HitPolicy, Row

NOTHING = "none"
LAW = "law"
_OF_ENTRIES = ("stuck", "absent", "sequence", "every", "clear", "seen", "otherwise", "law", "prior")
"""What an entry may not say if the cells of a table compare it: it would count once for each cell."""
_FIELDS = {"<": "below", "<=": "at_most", ">": "above", ">=": "at_least"}


@dataclass(frozen=True, slots=True)
class Spread:
    """What a rule's decision tables became.

    Attributes:
        tables: as tables, for checks and for exchange.
        entries: the conditions and rows that stand for them.
        inputs: names of the entries that only tables read.
    """

    tables: dict[str, DecisionTable]
    entries: dict[str, SignWords]
    inputs: frozenset[str]


def spread_tables(words: RuleWords, document: Document, signs: SignCatalogue, problems: list[Problem]) -> Spread:
    """Check a rule's decision tables and spread them; append a problem for each cell or row that is wrong."""
    tables: dict[str, DecisionTable] = {}
    entries: dict[str, SignWords] = {}
    inputs: set[str] = set()
    for name, decision in words.tables.items():
        before = len(problems)
        table = _Reader(words, document, signs, problems).table(name, decision)
        if len(problems) == before:
            problems.extend(_located(table, document.where(("tables", name))))
        tables[name] = table
        inputs |= set(table.inputs)
        entries |= _entries(name, decision, table, words)
    return Spread(tables, entries, frozenset(name for name in inputs if name in words.signs))


@dataclass(frozen=True, slots=True)
class _Reader:
    words: RuleWords
    document: Document
    signs: SignCatalogue
    problems: list[Problem]

    def table(self, name: str, decision: DecisionWords) -> DecisionTable:
        rows = [self._row(written, ("tables", name, "rows", index)) for index, written in enumerate(decision.rows)]
        columns = tuple(dict.fromkeys(column for row in rows for column in row.cells))
        domain = {column: _domain(self.words.signs[column], self.signs) for column in columns}
        return DecisionTable(name, columns, tuple(rows), HitPolicy(decision.hit), domain)

    def _row(self, written: Mapping[str, str | float], location: Location) -> Row:
        cells = {}
        where = self.document.where(location)
        for column, cell in written.items():
            if column == LAW:
                continue
            problem = _column_problem(column, self.words, where)
            if problem is not None:
                self.problems.append(problem)
                continue
            unit = _unit(self.words.signs[column], self.signs)
            try:
                cells[column] = parse_cell(cell, lambda text, unit=unit: parse_quantity(text, unit))  # type: ignore[misc]
            except ValueError as exc:
                remedy = "Write '-', '>= 80', '= 3' or '[35..50)', with or without a unit."
                self.problems.append(Problem(where, f"{column}: {exc}.", remedy))
        self._check_law(written, cells, where)
        return Row(cells, str(written.get(LAW, NOTHING)), where)

    def _check_law(self, written: Mapping[str, str | float], cells: Mapping[str, Interval], where: str) -> None:
        known = ", ".join([*self.words.laws, NOTHING])
        if LAW not in written:
            self.problems.append(Problem(where, "the row names no law.", f"Add 'law:' with one of: {known}."))
        elif (law := str(written[LAW])) != NOTHING and law not in self.words.laws:
            self.problems.append(Problem(where, f"the law {law!r} is unknown.", f"Name one of: {known}."))
        elif law != NOTHING and all(cell == ANYTHING for cell in cells.values()):
            message = f"the row fires {law!r} whatever is measured, and also when nothing is."
            self.problems.append(Problem(where, message, "Give it a cell that compares, or 'law: none'."))


def _column_problem(column: str, words: RuleWords, where: str) -> Problem | None:
    entry = words.signs.get(column)
    if entry is None:
        return Problem(where, f"the column {column!r} is no entry under signs.", f"Known: {', '.join(words.signs)}.")
    if column in words.causes or column in words.inhibits:
        message = f"the column {column!r} is a cause or an inhibitor."
        return Problem(where, message, "Make an entry of its own for the table.")
    own = [key for key in _OF_ENTRIES if getattr(entry, key) is not None]
    if entry.comparison is not None or entry.brought is not None or own:
        message = f"the column {column!r} says more than what to read{f' ({own[0]})' if own else ''}."
        return Problem(where, message, f"Let signs.{column} name a source only; the cells compare.")
    return None


def _unit(entry: SignWords, signs: SignCatalogue) -> str:
    return next((sign.unit for sign in signs if entry.source in {sign.id, sign.dimension}), "")


def _domain(entry: SignWords, signs: SignCatalogue) -> Interval:
    """Return what is possible at all: the sign's own limits, where the value itself is compared."""
    found = [sign for sign in signs if entry.source in {sign.id, sign.dimension}]
    if not found or entry.rise_per or entry.drop_per:
        return ANYTHING
    low = min(-math.inf if sign.minimum is None else sign.minimum for sign in found)
    high = max(math.inf if sign.maximum is None else sign.maximum for sign in found)
    return Interval(low, high, low_in=math.isfinite(low), high_in=math.isfinite(high))


def _located(table: DecisionTable, where: str) -> Iterator[Problem]:
    for problem in table.problems():
        of_table = problem.where == table.name
        yield Problem(where, f"the table {table.name} {problem.message}", problem.remedy) if of_table else problem


def _entries(name: str, decision: DecisionWords, table: DecisionTable, words: RuleWords) -> dict[str, SignWords]:
    entries: dict[str, SignWords] = {}
    above: list[str] = []
    for index, row in enumerate(table.rows):
        row_name = f"{name}_{index + 1}"
        cells: list[str] = []
        for column, cell in row.cells.items():
            for operator, limit in _limits(cell):
                cell_name = f"{row_name}_{column}_{'min' if '>' in operator else 'max'}"
                entries[cell_name] = words.signs[column].model_copy(update={_FIELDS[operator]: limit})
                cells.append(cell_name)
        if cells:
            entries[row_name] = SignWords.model_construct(
                every=tuple(cells),
                unless=tuple(above) if decision.hit == "first" else (),
                law=None if row.outcome == NOTHING else row.outcome,
                reason=_reason(table, index),
            )
            above.append(row_name)
    return entries


def _limits(cell: Interval) -> Iterator[tuple[str, float]]:
    if math.isfinite(cell.low):
        yield (">=" if cell.low_in else ">"), cell.low
    if math.isfinite(cell.high):
        yield ("<=" if cell.high_in else "<"), cell.high


def _reason(table: DecisionTable, index: int) -> Text:
    row = table.rows[index]
    told = ", ".join(f"{column} {cell}" for column, cell in row.cells.items())
    return Text(zh=f"决策表 {table.name} 第 {index + 1} 行：{told}", en=f"table {table.name}, row {index + 1}: {told}")
