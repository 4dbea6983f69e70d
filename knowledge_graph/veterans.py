"""How far veterans' numbers can be trusted: Cooke's classical model (Cooke 1991, "Experts in Uncertainty").

Veterans answer seed questions, whose answers are known, by three quantiles: 5 %, 50 % and 95 %. The calibration score
is the probability that somebody whose quantiles are right would miss as badly; the information score says how narrow
the quantiles are against a uniform over all answers. A veteran's weight is their product, or nothing where the
calibration is below a cutoff. The one maintained library, anduryl, brings a desktop toolkit; a test holds its figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from contracts import DataError

QUANTILES = (0.05, 0.5, 0.95)
OVERSHOOT = 0.1
"""How far the range of all answers is widened on both sides, as a share of it."""
MINIMUM_SEEDS = 5
_SHARES = np.array([0.05, 0.45, 0.45, 0.05])
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class SeedAnswer:
    """What one veteran said to one seed question.

    Attributes:
        veteran: id of the expert.
        question: id of the question.
        low: 5 % quantile.
        median: 50 % quantile.
        high: 95 % quantile.
    """

    veteran: str
    question: str
    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class VeteranScore:
    """What a veteran's answers say.

    Attributes:
        veteran: id of the expert.
        questions: how many were answered.
        calibration: p-value of the hypothesis that the quantiles are right; 1 is best.
        information: mean relative information to a uniform; 0 says nothing.
        weight: share of the say, all shares summing to 1; 0 below the cutoff.
    """

    veteran: str
    questions: int
    calibration: float
    information: float
    weight: float


def score_veterans(
    answers: Sequence[SeedAnswer], truths: Mapping[str, float], *, cutoff: float = 0.0
) -> list[VeteranScore]:
    """Score veterans by seed questions.

    Args:
        answers: each veteran's to the same questions.
        truths: question → its answer.
        cutoff: calibration below which a veteran has no say.

    Returns:
        One score a veteran, by id. Where everybody is below the cutoff all weights are 0: nobody's word is proven.

    Raises:
        DataError: if quantiles do not rise, a question has no truth, or veterans answered too few or other questions.
    """
    by_veteran: dict[str, dict[str, SeedAnswer]] = {}
    for answer in answers:
        by_veteran.setdefault(answer.veteran, {})[answer.question] = answer
    _check(answers, by_veteran, truths)
    questions = sorted(truths)
    values = np.array([[_row(found[one]) for one in questions] for found in by_veteran.values()])
    truth = np.array([truths[one] for one in questions])
    calibration = np.array([_calibration(rows, truth) for rows in values])
    information = _information(values, truth)
    raw = np.where(calibration >= cutoff, calibration * information, 0.0)
    weights = raw / raw.sum() if raw.sum() > 0 else raw
    scores = [
        VeteranScore(name, len(questions), float(calibration[i]), float(information[i]), float(weights[i]))
        for i, name in enumerate(by_veteran)
    ]
    return sorted(scores, key=lambda score: score.veteran)


def _check(
    answers: Sequence[SeedAnswer], by_veteran: Mapping[str, Mapping[str, SeedAnswer]], truths: Mapping[str, float]
) -> None:
    problems = [
        f"{one.veteran} says {one.low:g}, {one.median:g}, {one.high:g} to {one.question}: quantiles must rise"
        for one in answers
        if not one.low < one.median < one.high
    ]
    problems += [
        f"{veteran} answered {sorted(found.keys() ^ truths.keys())[:5]} otherwise than the seeds"
        for veteran, found in by_veteran.items()
        if found.keys() != truths.keys()
    ]
    if len(truths) < MINIMUM_SEEDS:
        problems.append(f"{len(truths)} seed questions say too little; ask at least {MINIMUM_SEEDS}")
    if problems:
        message = f"The seed questions cannot be scored: {'; '.join(problems[:10])}."
        raise DataError(message)


def _row(answer: SeedAnswer) -> tuple[float, float, float]:
    return answer.low, answer.median, answer.high


def _calibration(rows: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return the p-value of the likelihood ratio, asymptotically chi-squared with three degrees of freedom."""
    bins = (truth[:, None] > rows).sum(axis=1)
    seen = np.bincount(bins, minlength=4) / truth.size
    there = seen > 0
    divergence = float((seen[there] * np.log(seen[there] / _SHARES[there])).sum())
    return float(chi2.sf(2 * truth.size * divergence, df=len(QUANTILES)))


def _information(values: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each veteran's mean information, of values ``(veteran, question, quantile)``."""
    low = np.minimum(values.min(axis=(0, 2)), truth)
    high = np.maximum(values.max(axis=(0, 2)), truth)
    spread = OVERSHOOT * (high - low)
    edges = np.concatenate(
        [
            np.broadcast_to((low - spread)[None, :, None], (*values.shape[:2], 1)),
            values,
            np.broadcast_to((high + spread)[None, :, None], (*values.shape[:2], 1)),
        ],
        axis=2,
    )
    widths = np.diff(edges, axis=2) / (high - low + 2 * spread)[None, :, None]
    return np.asarray((_SHARES * np.log(_SHARES / np.maximum(widths, _TINY))).sum(axis=2).mean(axis=1))
