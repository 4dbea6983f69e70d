"""Block bootstrap: whole stretches of time are drawn again, so that one storm is one piece of luck and not a hundred.

Künsch (1989), with blocks that do not overlap (Carlstein 1986): figures that are made of sums over cases need only the
sums of each block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY_MS = 86_400_000
_SHARE = 0.9
_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the interval that holds it in nine of ten redrawn pasts; None where it is not defined.

    Attributes:
        value: over the whole past.
        low: 5 % of the redrawn pasts lie below.
        high: 5 % lie above.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TimeBlocks:
    """Blocks of equal length.

    Attributes:
        start_ms: of the first.
        length_ms: of each.
        count: how many.
    """

    start_ms: int
    length_ms: int
    count: int

    @classmethod
    def over(cls, times_ms: NDArray[np.int64], days: int) -> TimeBlocks:
        """Lay blocks of some days over a past."""
        length_ms = days * DAY_MS
        start_ms, end_ms = int(times_ms[0]), int(times_ms[-1])
        return cls(start_ms, length_ms, (end_ms - start_ms) // length_ms + 1)

    def of(self, times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the block of each time; times outside belong to the first and the last."""
        found = (np.asarray(times_ms, np.int64) - self.start_ms) // self.length_ms
        return np.clip(found, 0, self.count - 1)


def bootstrap(sums: Floats, figure: Callable[[Floats], Floats], draws: int = 1000) -> Interval:
    """Return a figure with its interval.

    Args:
        sums: what each block adds, shape ``(blocks, terms)``.
        figure: makes the figure of added-up sums, ``(draws, terms)`` → ``(draws,)``; NaN where it is not defined.
        draws: redrawn pasts. The same past gives the same draws, so that two rule sets are compared on equal luck.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(figure(sums.sum(axis=0)[None])[0])
        drawn = figure(_draw(len(sums), draws) @ sums)
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not known.size:
        return Interval(None, None, None)
    low, high = np.quantile(known, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return Interval(value, float(low), float(high))


def _draw(blocks: int, draws: int) -> Floats:
    """Return how often each block is drawn, shape ``(draws, blocks)``."""
    random = np.random.default_rng(_SEED)
    return random.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws).astype(np.float64)
