"""Probabilities against what came: CORP, and precision over recall.

CORP (Dimitriadis, Gneiting and Jordan 2021) splits the Brier score without bins: an isotonic fit says what the
probabilities should have been. Brier = miscalibration - discrimination + uncertainty.

A past holds tens of millions of cases and few onsets. Between two onsets' probabilities all quiet cases weigh as one,
in the fit and in the curve, so that figures cost one sort and stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from .outcomes import Outcome

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ProbabilityScore:
    """Figures of probabilities.

    Attributes:
        cases: instants and places that were judged.
        onsets: how many of them had an onset ahead.
        base_rate: their share.
        brier: mean squared error.
        miscalibration: what recalibrating them would save; 0 is best.
        discrimination: what they say beyond the base rate (CORP's resolution).
        uncertainty: error of always telling the base rate.
        pr_auc: area under precision over recall (average precision); the base rate is what chance gives.
    """

    cases: int
    onsets: int
    base_rate: float
    brier: float
    miscalibration: float
    discrimination: float
    uncertainty: float
    pr_auc: float


def score_probability(probability: NDArray[np.float32], outcome: NDArray[np.int8]) -> ProbabilityScore | None:
    """Score probabilities of an onset within the horizon.

    Args:
        probability: shape ``(time, places)``; NaN where the rule did not speak.
        outcome: of :func:`label_outcomes`, same shape.

    Returns:
        The figures; None without a single onset or without a quiet case.
    """
    told = np.isfinite(probability)
    came = probability[told & (outcome == Outcome.ONSET)]
    quiet = np.sort(probability[told & (outcome == Outcome.QUIET)])
    if not came.size or not quiet.size:
        return None
    values, onsets = np.unique(came, return_counts=True)
    below, upto = np.searchsorted(quiet, values), np.searchsorted(quiet, values, side="right")
    cases = came.size + quiet.size
    base_rate = came.size / cases
    uncertainty = base_rate * (1 - base_rate)
    brier = (_squares(1 - came.astype(np.float64)) + _squares(quiet)) / cases
    recalibrated = _recalibrated_brier(onsets, below, upto, quiet.size)
    return ProbabilityScore(
        cases=cases,
        onsets=int(came.size),
        base_rate=base_rate,
        brier=brier,
        miscalibration=max(brier - recalibrated, 0.0),
        discrimination=max(uncertainty - recalibrated, 0.0),
        uncertainty=uncertainty,
        pr_auc=_average_precision(onsets, quiet.size - below),
    )


def _squares(errors: NDArray[np.floating]) -> float:
    return float(np.einsum("i,i->", errors, errors, dtype=np.float64))


def _recalibrated_brier(
    onsets: NDArray[np.int64], below: NDArray[np.int64], upto: NDArray[np.int64], quiet: int
) -> float:
    """Return the mean squared error after the isotonic fit.

    Points in rising order: quiet cases before the first onset's probability, then in turn those that share an onset's
    probability with it, and the quiet ones up to the next.
    """
    ends = np.append(below[1:], quiet)
    weights = np.empty(2 * onsets.size + 1)
    rates = np.zeros_like(weights)
    weights[0], weights[1::2], weights[2::2] = below[0], onsets + (upto - below), ends - upto
    rates[1::2] = onsets / weights[1::2]
    there = weights > 0
    weights, rates = weights[there], rates[there]
    fitted = isotonic_regression(rates, weights=weights).x
    # of a pooled group with rate r, told f: r (1 - f)² + (1 - r) f²
    return float((weights * (rates * (1 - fitted) ** 2 + (1 - rates) * fitted**2)).sum() / weights.sum())


def _average_precision(onsets: NDArray[np.int64], quiet_above: NDArray[np.int64]) -> float:
    """Return the precision at each onset's probability, weighted by the recall it adds."""
    hits = np.cumsum(onsets[::-1])
    precision = hits / (hits + quiet_above[::-1])
    return float((precision * onsets[::-1]).sum() / onsets.sum())
