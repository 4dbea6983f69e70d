"""Anomaly: how unlikely the newest reading is, given the forecast that was issued before it.

A reading's score is its distance from the median in half-widths of the outermost interval, signed. A conformal p-value
ranks it among the scores of the past; in the tail, where ranks end at 1 / (n + 1), a generalised Pareto distribution
fitted to the largest scores takes over (peaks over threshold, as SPOT: Siffer et al. 2017; fitted by
probability-weighted moments: Hosking and Wallis 1987). Slow drift is found by the same p-value of a cumulative sum of
scores (Page 1954).

A p-value is not a likelihood ratio. :func:`likelihood_ratio` turns one into the other by a curve whose mean under
"nothing is wrong" is one, whatever its shape (Sellke, Bayarri and Berger 2001; Vovk and Wang 2021), capped by the rule
and by what history supports (:func:`supported_ratio`). Its shape is fitted from history by :func:`fit_shape`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contracts import DataError, Direction

from .calibration import Quantiles
from .policy import AnomalyPolicy

_LARGEST_SHAPE = 0.5
_FEWEST_EXCESSES = 5
_RELATIVE_WIDTH = 1e-6

Scores = NDArray[np.float32]


def score(issued: Quantiles, quantiles: tuple[float, ...], value: float) -> float:
    """Return the signed distance of a value from the median, in half-widths of its side.

    Args:
        issued: calibrated quantiles of the value's step, shape ``(quantile,)``.
        quantiles: probabilities of the quantile axis.
        value: the reading.
    """
    median = float(issued[quantiles.index(0.5)])
    half = float(issued[-1]) - median if value >= median else median - float(issued[0])
    return (value - median) / max(half, _RELATIVE_WIDTH * max(1.0, abs(median)))


def p_value(scores: Scores, newest: float, direction: Direction, policy: AnomalyPolicy) -> float:
    """Return the probability of a score at least as extreme as the newest, judged by past scores.

    Args:
        scores: past signed scores, shape ``(n,)``; the newest is not among them.
        newest: the score to judge.
        direction: which way is extreme.
        policy: how the tail is fitted.
    """
    extreme, past = _extremeness(newest, direction), _extremeness(scores.astype(np.float64), direction)
    rank = (1 + int(np.count_nonzero(past >= extreme))) / (past.size + 1)
    if past.size < policy.tail_from:
        return rank
    threshold = float(np.quantile(past, 1 - policy.tail_share))
    if extreme <= threshold:
        return rank
    return max(_tail_probability(past, threshold, float(extreme)), policy.smallest_p)


def _extremeness(scores: float | NDArray[np.float64], direction: Direction) -> NDArray[np.float64]:
    signed = np.asarray(scores, dtype=np.float64)
    if direction is Direction.BOTH:
        return np.abs(signed)
    return signed if direction is Direction.HIGH else -signed


def _tail_probability(past: NDArray[np.float64], threshold: float, extreme: float) -> float:
    excesses = past[past > threshold] - threshold
    share = excesses.size / past.size
    if excesses.size < _FEWEST_EXCESSES or excesses.max() <= 0:
        return 1 / (past.size + 1)
    shape, scale = fit_pareto(excesses)
    distance = (extreme - threshold) / scale
    survival = math.exp(-distance) if shape == 0 else (1 + shape * distance) ** (-1 / shape)
    return share * survival


def fit_pareto(excesses: NDArray[np.float64]) -> tuple[float, float]:
    """Fit a generalised Pareto distribution by probability-weighted moments.

    The shape is kept within [0, 0.5]: a tail that ends somewhere is never claimed, so that no score has probability 0.

    Args:
        excesses: positive excesses over a threshold, shape ``(n,)``, n >= 2.

    Returns:
        Shape and scale.
    """
    ordered = np.sort(excesses)
    count = ordered.size
    mean = float(ordered.mean())
    weighted = float((np.arange(count - 1, -1, -1) / (count - 1) * ordered).mean())
    denominator = mean - 2 * weighted
    shape = 2 - mean / denominator if denominator > 0 else 0.0
    shape = min(max(shape, 0.0), _LARGEST_SHAPE)
    return shape, mean * (1 - shape)


def accumulate(sums: tuple[float, float], newest: float, *, slack: float, clip: float) -> tuple[float, float]:
    """Return the cumulative sums of drift downwards and upwards after a score.

    A score counts for no more than the clip: one wild reading is no drift.
    """
    low, high = sums
    counted = min(max(newest, -clip), clip)
    return max(0.0, low - counted - slack), max(0.0, high + counted - slack)


def likelihood_ratio(p: float, shape: float, cap: float) -> float:
    """Return how much likelier a p-value is when something is wrong than when nothing is: ``shape * p^(shape - 1)``.

    Args:
        p: a p-value within (0, 1].
        shape: within (0, 1); smaller means that trouble is expected to be more extreme.
        cap: the largest ratio that is ever told.
    """
    return min(cap, shape * math.pow(p, shape - 1))


def supported_ratio(calm: int, steps: int) -> float:
    """Return the largest likelihood ratio that calm history can support, never below one.

    Of ``calm`` scores none was as extreme, and the rules' probabilities are of an onset within a horizon, so history
    holds ``calm / steps`` independent chances of a false alarm without one. The 95 % upper bound of their rate is then
    three over their number (the rule of three: Hanley and Lippman-Hand 1983), and a ratio of the chance under trouble,
    at most one, to that rate is at most a third of it. A tail that is extrapolated beyond history cannot claim more.

    Args:
        calm: scores remembered or known to be less extreme.
        steps: readings in one horizon of the rule.
    """
    return max(1.0, calm / max(steps, 1) / 3)


def fit_shape(p_values: Sequence[float]) -> float:
    """Return the likeliest shape of :func:`likelihood_ratio` for p-values that were seen while something was wrong.

    Raises:
        DataError: if there is none, or one is outside (0, 1].
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.size == 0 or (values <= 0).any() or (values > 1).any():
        message = f"A likelihood ratio needs p-values within (0, 1], given {list(p_values)[:5]!r}."
        raise DataError(message)
    information = float(-np.log(values).mean())
    return min(max(1 / information if information > 0 else 1.0, 0.01), 0.99)
