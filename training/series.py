"""Series on a regular grid: readings by step, NaN where one is missing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import DataError

MILLISECONDS_PER_S = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Readings of one sign.

    Attributes:
        sign: id of the sign.
        start_ms: event time of the first step.
        interval_s: seconds between steps.
        values: shape ``(time,)``, float32, NaN where missing.
    """

    sign: str
    start_ms: int
    interval_s: int
    values: NDArray[np.float32]

    @property
    def end_ms(self) -> int:
        """Event time just after the last step."""
        return self.start_ms + len(self.values) * self.interval_s * MILLISECONDS_PER_S

    def step(self, time_ms: int) -> int:
        """Return the first step at or after a time; it may lie outside the series."""
        return -((self.start_ms - time_ms) // (self.interval_s * MILLISECONDS_PER_S))

    def times_ms(self) -> NDArray[np.int64]:
        """Event times of the steps, shape ``(time,)``."""
        return self.start_ms + np.arange(len(self.values), dtype=np.int64) * self.interval_s * MILLISECONDS_PER_S

    def fingerprint(self) -> str:
        """Return the sha256 of sign, grid and values."""
        digest = hashlib.sha256(f"{self.sign}\0{self.start_ms}\0{self.interval_s}\0".encode())
        digest.update(np.ascontiguousarray(self.values, dtype="<f4").tobytes())
        return digest.hexdigest()


def regular_series(sign: str, times_ms: NDArray[np.int64], values: NDArray[np.float32], interval_s: int) -> Series:
    """Lay readings on a regular grid; the last of several readings at one step stands.

    Args:
        sign: id of the sign.
        times_ms: event times, shape ``(reading,)``, any order.
        values: shape ``(reading,)``; NaN where missing.
        interval_s: seconds between steps.

    Raises:
        DataError: if there are no readings, or their times do not lie on one grid.
    """
    if len(times_ms) == 0:
        message = f"The series {sign!r} has no readings. Check the source and the time range."
        raise DataError(message)
    start, interval_ms = int(times_ms.min()), interval_s * MILLISECONDS_PER_S
    offsets = times_ms - start
    stray = np.flatnonzero(offsets % interval_ms)
    if len(stray):
        message = (
            f"{len(stray)} readings of {sign!r} do not lie on a grid of {interval_s} s, the first at "
            f"{int(times_ms[stray[0]])} ms. Resample them, or set interval_s to the true interval."
        )
        raise DataError(message)
    grid = np.full(int(offsets.max()) // interval_ms + 1, np.nan, dtype=np.float32)
    grid[offsets // interval_ms] = np.where(np.isfinite(values), values, np.nan)
    return Series(sign, start, interval_s, grid)
