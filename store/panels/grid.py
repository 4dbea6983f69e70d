"""Readings of a panel on regular grids: one float32 buffer for all signs, whatever their lengths and intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from contracts import DataError, format_utc

from .panel import Panel, PanelBatch, Span

MS_PER_S = 1000


class Aggregate(StrEnum):
    """What stands for several readings of one step: of the interval that ends with it, (t - interval, t]."""

    STRICT = "strict"
    """Readings must lie on a grid that starts with the sign's first; of several at one time the last stands."""
    LAST = "last"
    MEAN = "mean"
    SUM = "sum"


@dataclass(frozen=True, slots=True, eq=False)
class GridSeries:
    """Readings of one sign on its grid.

    Attributes:
        sign: id of the sign.
        start_ms: event time of the first step.
        values: shape ``(time,)``, NaN where missing; a view into the buffer of all signs.
    """

    sign: str
    start_ms: int
    values: NDArray[np.float32]


def read_grid(
    panel: Panel,
    interval_s: int,
    aggregate: Aggregate = Aggregate.STRICT,
    progress: Callable[[float], None] | None = None,
) -> list[GridSeries]:
    """Lay a panel on regular grids; it is streamed twice, once for the lengths and once for the readings.

    Args:
        panel: where the readings are.
        interval_s: seconds between steps. A sign that is read more often is aggregated, one that is read less often
            has missing steps between.
        aggregate: what stands for several readings of a step.
        progress: told the share of the rows that are read.

    Returns:
        One series for each sign, in the order of first rows.

    Raises:
        DataError: if the panel cannot be read, or strict readings do not lie on one grid.
    """
    spans = panel.spans()
    rows = sum(span.rows for span in spans.values())
    grid = _Grid(spans, interval_s * MS_PER_S, aggregate)
    done = 0
    for batch in panel.batches():
        grid.add(batch)
        done += len(batch.signs)
        if progress is not None:
            progress(done / rows)
    return grid.finish()


class _Grid:
    def __init__(self, spans: dict[str, Span], interval_ms: int, aggregate: Aggregate) -> None:
        self._signs = tuple(spans)
        self._interval_ms = interval_ms
        self._aggregate = aggregate
        first = np.array([span.first_ms for span in spans.values()], np.int64)
        last = np.array([span.last_ms for span in spans.values()], np.int64)
        self._starts = first if aggregate is Aggregate.STRICT else -(-first // interval_ms) * interval_ms
        steps = -(-(last - self._starts) // interval_ms) + 1
        self._ends = np.cumsum(steps)
        self._offsets = self._ends - steps
        size = int(self._ends[-1])
        additive = aggregate in (Aggregate.MEAN, Aggregate.SUM)
        self._values = np.zeros(size, np.float32) if additive else np.full(size, np.nan, np.float32)
        self._counts = np.zeros(size, np.uint32) if additive else None

    def add(self, batch: PanelBatch) -> None:
        """Lay the readings of a batch."""
        elapsed = batch.times_ms - self._starts[batch.signs]
        steps = -(-elapsed // self._interval_ms)
        if self._aggregate is Aggregate.STRICT:
            self._check(batch, elapsed)
        positions = self._offsets[batch.signs] + steps
        known = np.isfinite(batch.values)
        if self._counts is not None:
            np.add.at(self._values, positions[known], batch.values[known])
            np.add.at(self._counts, positions[known], 1)
        else:
            self._values[positions[known]] = batch.values[known]

    def finish(self) -> list[GridSeries]:
        """Return the series."""
        if self._counts is not None:
            if self._aggregate is Aggregate.MEAN:
                np.divide(self._values, self._counts, out=self._values, where=self._counts > 0)
            self._values[self._counts == 0] = np.nan
        return [
            GridSeries(sign, int(self._starts[number]), self._values[self._offsets[number] : self._ends[number]])
            for number, sign in enumerate(self._signs)
        ]

    def _check(self, batch: PanelBatch, elapsed: NDArray[np.int64]) -> None:
        stray = np.flatnonzero(elapsed % self._interval_ms)
        if len(stray):
            sign, time_ms = self._signs[batch.signs[stray[0]]], int(batch.times_ms[stray[0]])
            message = (
                f"{len(stray)} readings or more do not lie on a grid of {self._interval_ms // MS_PER_S} s, such as "
                f"that of {sign!r} at {format_utc(time_ms)}. Set aggregate to mean, sum or last, or mend interval_s."
            )
            raise DataError(message)
