"""Exceedance: how likely a sign crosses a level within the horizon.

That is a question about the horizon's extreme, not about its steps: the extreme's own calibrated quantiles answer it
(see :mod:`early_warning.calibration`). Between quantiles the distribution is linear. Beyond the outermost one it is
exponential with the mean excess seen so far, starting from an assumption that counts like a few sightings.

What is assumed: that the extreme's offsets, learned over recent weeks, hold for the next hours. How the steps depend on
each other is not assumed but absorbed by these offsets; before they have learned, the steps count as moving together,
which gives the smallest probability that the steps' own quantiles allow.
"""

from __future__ import annotations

import math

import numpy as np

from contracts import DataError, Direction

from .calibration import LARGEST, SMALLEST, CalibrationState, Quantiles, widths
from .policy import CalibrationPolicy

_SMALLEST_PROBABILITY = 1e-6
CERTAIN = 1 - _SMALLEST_PROBABILITY
"""A level that is crossed already."""


def exceedance(
    issued: Quantiles,
    quantiles: tuple[float, ...],
    state: CalibrationState,
    *,
    level: float,
    direction: Direction,
    policy: CalibrationPolicy,
) -> float:
    """Return the probability that the horizon's extreme crosses a level.

    Args:
        issued: calibrated quantiles with the rows of the extremes, shape ``(horizon + 2, quantile)``.
        quantiles: probabilities of the quantile axis.
        state: the calibration, for its tails.
        level: in the sign's unit.
        direction: high asks for values above the level, low for values below.
        policy: the assumption that the tails start from.

    Raises:
        DataError: if the direction is both: one level is crossed one way.
    """
    if direction is Direction.BOTH:
        message = f"The level {level!r} needs one direction, 'high' or 'low', given 'both'. Write two rules."
        raise DataError(message)
    if direction is Direction.LOW:
        row, tail = issued[SMALLEST], _tail_width(state, SMALLEST, policy)
        return _bounded(_below(row, quantiles, level, tail))
    row, tail = issued[LARGEST], _tail_width(state, LARGEST, policy)
    mirrored = tuple(1 - q for q in reversed(quantiles))
    return _bounded(_below(-row[::-1], mirrored, -level, tail))


def over_horizon(probability: float, told_s: int, asked_s: int) -> float:
    """Return the probability of an onset within another horizon, the hazard being constant over both."""
    if told_s == asked_s:
        return probability
    return _bounded(-math.expm1(math.log1p(-probability) * asked_s / told_s))


def _tail_width(state: CalibrationState, row: int, policy: CalibrationPolicy) -> float:
    """Return the mean excess beyond the outermost quantile, in widths."""
    seen, total = float(state.exceeded[row]), float(state.excesses[row])
    return (policy.tail_width * policy.tail_weight + total) / (policy.tail_weight + seen)


def _below(row: Quantiles, quantiles: tuple[float, ...], level: float, tail: float) -> float:
    """Return P(value < level) for quantiles of one row, exponential beyond both ends."""
    scale = tail * float(widths(row[None])[0])
    lowest, highest = float(row[0]), float(row[-1])
    if level <= lowest:
        return quantiles[0] * math.exp(-(lowest - level) / scale)
    if level >= highest:
        return 1 - (1 - quantiles[-1]) * math.exp(-(level - highest) / scale)
    return float(np.interp(level, row.astype(np.float64), quantiles))


def _bounded(probability: float) -> float:
    return min(max(probability, _SMALLEST_PROBABILITY), 1 - _SMALLEST_PROBABILITY)
