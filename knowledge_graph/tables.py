"""Decision tables: rows of intervals, checked for gaps, overlaps, conflicts and subsumption, traced cell by cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import KnowledgeError, Problem

from .cells import ANYTHING, Interval, parse_cell

MAXIMUM_ROWS = 1000
MAXIMUM_CELLS = 40_000_000
"""Comparisons that the search for gaps may take: every cell of every row in every elementary box of the domain."""
MAXIMUM_CLASHES = 20
"""Overlaps and conflicts that are told of one table; a wrong column makes them by the thousand."""
_BLOCK_CELLS = 1 << 20


class HitPolicy(StrEnum):
    """What several rows that hold mean (the names of DMN)."""

    UNIQUE = "unique"
    """At most one row may hold."""
    ANY = "any"
    """Several may hold if they say the same."""
    FIRST = "first"
    """The first row that holds counts."""
    COLLECT = "collect"
    """Every row that holds counts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: it holds when every cell does; then it says its outcome.

    Attributes:
        cells: input → interval; an input that is left out may be anything, even missing.
        outcome: what it says.
        where: file and line, for messages.
    """

    cells: Mapping[str, Interval]
    outcome: str
    where: str = ""

    def cell(self, name: str) -> Interval:
        """Return the cell of an input."""
        return self.cells.get(name, ANYTHING)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a table said of a batch, with its full trace.

    Attributes:
        passed: whether each cell held, shape ``(rows, inputs, batch)``.
        holds: whether each row held, shape ``(rows, batch)``.
        counts: whether each row counts by the hit policy, shape ``(rows, batch)``.
    """

    passed: NDArray[np.bool_]
    holds: NDArray[np.bool_]
    counts: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Rows over numeric inputs.

    Attributes:
        name: of the table.
        inputs: names of its inputs.
        rows: in order.
        policy: what several rows that hold mean.
        domain: input → what is possible at all; default any number.
    """

    name: str
    inputs: tuple[str, ...]
    rows: tuple[Row, ...]
    policy: HitPolicy = HitPolicy.UNIQUE
    domain: Mapping[str, Interval] = field(default_factory=dict)

    def decide(self, values: NDArray[np.float64]) -> Decisions:
        """Evaluate every cell for a batch.

        Args:
            values: shape ``(inputs, batch)``; NaN where a value is missing: no cell but ``-`` holds for it.
        """
        low, high, low_in, high_in, free = self._bounds()
        columns = values[None]
        with np.errstate(invalid="ignore"):
            above = np.where(low_in, columns >= low, columns > low)
            passed = above & np.where(high_in, columns <= high, columns < high)
        passed |= free
        holds = np.asarray(passed.all(axis=1))
        counts = holds
        if self.policy is HitPolicy.FIRST:
            counts = holds & (np.cumsum(holds, axis=0) == 1)
        return Decisions(passed, holds, counts)

    def outcomes(self, values: Mapping[str, float]) -> list[Row]:
        """Return the rows that count for one case, in order; each outcome once."""
        column = np.array([[values.get(name, math.nan)] for name in self.inputs])
        counting = self.decide(column).counts[:, 0]
        found: dict[str, Row] = {}
        for row, counts in zip(self.rows, counting, strict=True):
            if counts:
                found.setdefault(row.outcome, row)
        return list(found.values())

    def why_not(self, index: int, values: Mapping[str, float]) -> list[str]:
        """Say which cells kept a row from holding: the backward trace."""
        reasons = []
        for name in self.inputs:
            cell = self.rows[index].cell(name)
            if cell == ANYTHING:
                continue
            if name not in values:
                reasons.append(f"{name} is missing, needs {cell}")
            elif values[name] not in cell:
                reasons.append(f"{name} = {values[name]:.6g}, needs {cell}")
        return reasons

    def problems(self) -> Iterator[Problem]:
        """Yield gaps, overlaps, conflicts and rows that can never count.

        A gap is a place of the domain where no row holds; tables with policy ``collect`` may have them, and so may a
        table whose domain is not stated. Exact: the domain is cut at every end of every cell.
        """
        if len(self.rows) > MAXIMUM_ROWS:
            yield Problem(self.name, f"has {len(self.rows)} rows, more than {MAXIMUM_ROWS}.", "Split the table.")
            return
        yield from self._impossible()
        yield from self._subsumed()
        yield from itertools.islice(self._clashes(), MAXIMUM_CLASHES)
        if self.domain and self.policy is not HitPolicy.COLLECT:
            yield from self._gaps()

    def _gaps(self) -> Iterator[Problem]:
        axes = [self._elements(name) for name in self.inputs]
        boxes = math.prod(len(axis) for axis in axes)
        cells = len(self.rows) * len(axes)
        if boxes * cells > MAXIMUM_CELLS:
            yield Problem(self.name, f"needs over {MAXIMUM_CELLS} comparisons to be checked.", "Split the table.")
            return
        block = max(1, _BLOCK_CELLS // max(cells, 1))
        for first in range(0, boxes, block):
            picked = np.unravel_index(np.arange(first, min(first + block, boxes)), [len(axis) for axis in axes])
            points = np.array([np.array(axis)[index] for axis, index in zip(axes, picked, strict=True)])
            uncovered = np.flatnonzero(~self.decide(points.reshape(len(axes), -1)).holds.any(axis=0))
            if uncovered.size:
                at = _at(dict(zip(self.inputs, points[:, uncovered[0]].tolist(), strict=True)))
                yield Problem(self.name, f"no row holds at {at}.", "Add a row for it.")
                return

    def _clashes(self) -> Iterator[Problem]:
        if self.policy in {HitPolicy.FIRST, HitPolicy.COLLECT}:
            return
        for first, second in itertools.combinations(range(len(self.rows)), 2):
            one, other = self.rows[first], self.rows[second]
            point = self._common_point(one, other)
            if point is None:
                continue
            where = other.where or f"{self.name} row {second + 1}"
            if one.outcome != other.outcome:
                message = f"conflicts with row {first + 1} at {_at(point)}: {other.outcome!r} against {one.outcome!r}."
                yield Problem(where, message, "Let the intervals meet without overlapping.")
            elif self.policy is HitPolicy.UNIQUE:
                yield Problem(where, f"overlaps row {first + 1} at {_at(point)}.", "Separate them, or say 'hit: any'.")

    def _common_point(self, one: Row, other: Row) -> dict[str, float] | None:
        point: dict[str, float] = {}
        for name in self.inputs:
            both = one.cell(name).meet(other.cell(name))
            inside = None if both is None else both.meet(self.domain.get(name, ANYTHING))
            if inside is None:
                return None
            point[name] = inside.point()
        return point

    def _impossible(self) -> Iterator[Problem]:
        for index, row in enumerate(self.rows):
            for name, cell in row.cells.items():
                domain = self.domain.get(name, ANYTHING)
                if cell.meet(domain) is None:
                    where = row.where or f"{self.name} row {index + 1}"
                    yield Problem(where, f"{name} {cell} can never hold within {domain}.", "Correct the cell.")

    def _subsumed(self) -> Iterator[Problem]:
        for second, row in enumerate(self.rows):
            for first, other in enumerate(self.rows[:second]):
                inside = all(other.cell(name).covers(row.cell(name)) for name in self.inputs)
                useless = self.policy is HitPolicy.FIRST or other.outcome == row.outcome
                if inside and useless:
                    where = row.where or f"{self.name} row {second + 1}"
                    yield Problem(where, f"never adds to row {first + 1}, which covers it.", "Remove or reorder it.")
                    break

    def _elements(self, name: str) -> list[float]:
        """Return one value in each elementary interval of an input: every end, and a point between neighbours."""
        domain = self.domain.get(name, ANYTHING)
        ends = {end for row in self.rows for end in (row.cell(name).low, row.cell(name).high) if math.isfinite(end)}
        ends |= {end for end in (domain.low, domain.high) if math.isfinite(end)}
        ordered = sorted(ends) or [0.0]
        values = [ordered[0] - 1, *ordered, ordered[-1] + 1]
        values += [(low + high) / 2 for low, high in itertools.pairwise(ordered)]
        return sorted({value for value in values if value in domain})

    def _bounds(self) -> tuple[NDArray[Any], ...]:
        cells = [[row.cell(name) for name in self.inputs] for row in self.rows]
        low = np.array([[cell.low for cell in line] for line in cells])[..., None]
        high = np.array([[cell.high for cell in line] for line in cells])[..., None]
        low_in = np.array([[cell.low_in for cell in line] for line in cells])[..., None]
        high_in = np.array([[cell.high_in for cell in line] for line in cells])[..., None]
        free = np.array([[cell == ANYTHING for cell in line] for line in cells])[..., None]
        return low, high, low_in, high_in, free


def _at(point: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in point.items())


def make_table(
    name: str,
    rows: Sequence[tuple[Mapping[str, str | float], str]],
    *,
    policy: HitPolicy = HitPolicy.UNIQUE,
    domain: Mapping[str, str] | None = None,
) -> DecisionTable:
    """Build a table from written cells; its inputs come in the order of their first use.

    Raises:
        KnowledgeError: if a cell cannot be read.
    """
    try:
        built = tuple(
            Row({key: parse_cell(cell) for key, cell in cells.items()}, outcome, f"{name} row {index + 1}")
            for index, (cells, outcome) in enumerate(rows)
        )
        limits = {key: parse_cell(cell) for key, cell in (domain or {}).items()}
    except ValueError as exc:
        message = f"The table {name!r} cannot be read: {exc}. Correct the cell."
        raise KnowledgeError(message) from exc
    inputs = tuple(dict.fromkeys(key for row in built for key in row.cells))
    return DecisionTable(name, inputs, built, policy, limits)
