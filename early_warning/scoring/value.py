"""What warnings are worth to somebody who pays a cost for acting and a loss for not having acted.

Relative economic value (Richardson 2000): 0 is what always or never acting saves, whichever is better; 1 is what
perfect knowledge would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .outcomes import Outcome

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contingency:
    """Acted or not, came or not.

    Attributes:
        sums: hits, false alarms, misses, correct rejections by block of time, shape ``(blocks, 4)``.
    """

    sums: Floats


def count_contingency(
    acted: NDArray[np.bool_], outcome: NDArray[np.int8], number: NDArray[np.int64], blocks: int
) -> Contingency:
    """Count instants and places by what was done and what came: an onset within the horizon, or an event that is on.

    Args:
        acted: whether a warning stood, shape ``(time, places)``.
        outcome: of :func:`label_outcomes`, same shape.
        number: block of each instant, shape ``(time,)``.
        blocks: how many there are.
    """
    came, quiet = outcome > Outcome.QUIET, outcome == Outcome.QUIET
    rows = np.stack(
        [np.count_nonzero(mask, axis=1) for mask in (acted & came, acted & quiet, ~acted & came, ~acted & quiet)],
        axis=1,
    )
    sums = np.zeros((blocks, 4))
    np.add.at(sums, number, rows)
    return Contingency(sums)


def expense(sums: Floats, ratio: float) -> Floats:
    """Return what was paid per case, in losses: ``ratio`` for each act, one for each miss; shape ``(draws,)``."""
    hits, false, misses, _ = sums.T
    return np.asarray((ratio * (hits + false) + misses) / sums.sum(axis=1))


def relative_value(sums: Floats, ratio: float) -> Floats:
    """Return the relative economic value.

    Args:
        sums: hits, false alarms, misses and correct rejections, shape ``(draws, 4)``.
        ratio: cost / loss.

    Returns:
        Shape ``(draws,)``; NaN where the event always or never came.
    """
    hits, _, misses, _ = sums.T
    base = (hits + misses) / sums.sum(axis=1)
    climate, perfect = np.minimum(ratio, base), ratio * base
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (climate - expense(sums, ratio)) / (climate - perfect)
    return np.where(climate > perfect, value, np.nan)
