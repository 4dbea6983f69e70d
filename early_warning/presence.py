"""What scores say about a thing being there: a likelihood ratio for each frame, a hidden Markov model over frames.

A score is no probability. :func:`fit_ratio` learns from labelled pictures that show the thing and pictures that do not
how much likelier a score is with it than without, per slice of conditions; no ratio claims more than those pictures
support. :class:`Presence` follows one place over frames: the thing comes and goes at known rates, and frames taken
close together, which repeat each other's mistakes, share the weight of one. What it tells is the ratio of the odds
given all frames to the odds given none: one statement of one camera, however many frames it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts import DataError

FLOOR_SCORE = 0.001
"""What stands for "nothing found": the lowest score that detectors of ours let out."""
SMALLEST_SAMPLE = 10
_BINS = 6
_SMOOTHING = 0.5
_RULE_OF_THREE = 3.0


class RatioCurve(BaseModel):
    """Likelihood ratios of one slice: a step function of the score that never falls.

    Attributes:
        edges: lowest scores of each step but the first, rising; shape ``(step - 1,)``.
        log_ratios: natural logarithms of the steps' ratios; shape ``(step,)``.
        positives: pictures with the thing that it was fitted on.
        negatives: pictures without it.
        brightness: lowest and highest mean brightness (0 to 255) of the slice's pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    log_ratios: tuple[float, ...]
    positives: int = Field(ge=1)
    negatives: int = Field(ge=1)
    brightness: tuple[float, float]

    @model_validator(mode="after")
    def _check_steps(self) -> RatioCurve:
        if len(self.log_ratios) != len(self.edges) + 1:
            message = f"{len(self.edges)} edges part {len(self.edges) + 1} steps, given {len(self.log_ratios)}"
            raise ValueError(message)
        return self

    def log_ratio(self, score: float) -> float:
        """Return the natural logarithm of the likelihood ratio of a score."""
        return self.log_ratios[int(np.searchsorted(self.edges, score, side="right"))]


class ScoreRatios(BaseModel):
    """Likelihood ratios of one label, by slice.

    Attributes:
        label: of the detector.
        model: name and version of the detector that the scores came from.
        curves: slice → curve; the empty name is the plain slice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    model: str = ""
    curves: dict[str, RatioCurve] = Field(min_length=1)

    def log_ratio(self, score: float, brightness: float) -> float:
        """Return the log ratio of a score in a picture of a mean brightness.

        Which slice a frame belongs to is not known for sure: of all slices whose pictures were as bright, the one
        that the score says least in counts; of all slices, where none was.
        """
        fitting = [c for c in self.curves.values() if c.brightness[0] <= brightness <= c.brightness[1]]
        return min((curve.log_ratio(score) for curve in fitting or self.curves.values()), key=abs)

    @property
    def cap(self) -> float:
        """The largest absolute log ratio of any curve: what all frames of one camera together may at most say."""
        return max(abs(value) for curve in self.curves.values() for value in curve.log_ratios)


def fit_ratio(
    positives: Sequence[float], negatives: Sequence[float], brightness: tuple[float, float], *, cap: float = 1000.0
) -> RatioCurve:
    """Fit a curve to the best scores of pictures with and without the thing.

    Scores are put into steps of equal numbers, "nothing found" into one of its own; smoothed shares give each step's
    ratio, and neighbouring steps that fall are pooled (Ayer et al. 1955). By the rule of three, n pictures without a
    false alarm support a ratio of at most n / 3, and m pictures without a miss one of at least 3 / m.

    Args:
        positives: the best score of the label in each picture that shows it; 0 where nothing was found.
        negatives: the same of pictures that do not.
        brightness: lowest and highest mean brightness of these pictures.
        cap: the largest ratio that is ever told.

    Raises:
        DataError: if either side has fewer than ten pictures.
    """
    if min(len(positives), len(negatives)) < SMALLEST_SAMPLE:
        message = (
            f"A likelihood ratio needs at least {SMALLEST_SAMPLE} pictures with and without the thing, given "
            f"{len(positives)} and {len(negatives)}. Label more, empty scenes too."
        )
        raise DataError(message)
    with_it, without = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    found = np.concatenate([with_it, without])
    found = found[found > FLOOR_SCORE]
    quantiles = np.quantile(found, np.linspace(0, 1, _BINS + 1)[1:-1]) if found.size else np.empty(0)
    edges = np.unique(np.concatenate([[2 * FLOOR_SCORE], quantiles]))
    shares = [_shares(side, edges) for side in (with_it, without)]
    weights = np.histogram(np.concatenate([with_it, without]), [-np.inf, *edges, np.inf])[0].astype(np.float64)
    rising = _pool(np.log(shares[0] / shares[1]), weights + _SMOOTHING)
    highest = math.log(max(1.0, min(cap, len(without) / _RULE_OF_THREE)))
    lowest = -math.log(max(1.0, min(cap, len(with_it) / _RULE_OF_THREE)))
    return RatioCurve(
        edges=tuple(edges.tolist()),
        log_ratios=tuple(rising.clip(lowest, highest).tolist()),
        positives=len(with_it),
        negatives=len(without),
        brightness=brightness,
    )


def _shares(scores: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.histogram(scores, [-np.inf, *edges, np.inf])[0] + _SMOOTHING
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _pool(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest rising sequence: adjacent violators are pooled."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (v2, w2, n2), (v1, w1, n1) = blocks.pop(), blocks.pop()
            blocks.append(((v1 * w1 + v2 * w2) / (w1 + w2), w1 + w2, n1 + n2))
    return np.repeat([value for value, _, _ in blocks], [count for _, _, count in blocks])


@dataclass(frozen=True, slots=True)
class PresenceModel:
    """How a thing comes and goes at one place.

    Attributes:
        every_s: mean time between two comings.
        lasts_s: mean time that it stays.
        independent_s: frames this far apart count as independent looks; closer ones share one look's weight.
        forget_s: silence after which nothing is known any more.
    """

    every_s: float
    lasts_s: float
    independent_s: float = 10.0
    forget_s: float = 600.0

    @property
    def share(self) -> float:
        """The share of time that it is there when nothing is known."""
        return self.lasts_s / (self.every_s + self.lasts_s)


class Presence:
    """A two-state hidden Markov model of one thing at one place, filtered frame by frame.

    Args:
        model: how it comes and goes.
        cap: the largest absolute log ratio that is told.
    """

    def __init__(self, model: PresenceModel, cap: float) -> None:
        self._model = model
        self._cap = cap
        self._probability = model.share
        self._time_ms: int | None = None
        self._looked_ms: int | None = None

    def see(self, time_ms: int, log_ratio: float) -> None:
        """Take in a frame.

        Args:
            time_ms: its event time; not before the last one's.
            log_ratio: of its score.
        """
        self._pass_time(time_ms)
        since_s = math.inf if self._looked_ms is None else (time_ms - self._looked_ms) / 1000
        weight = min(1.0, since_s / self._model.independent_s) if self._model.independent_s > 0 else 1.0
        self._looked_ms = time_ms
        odds = _log_odds(self._probability) + weight * log_ratio
        self._probability = 1 / (1 + math.exp(-odds))

    def log_ratio(self, time_ms: int) -> float:
        """Return how much all frames so far speak for the thing being there at a time: ln of the ratio of odds."""
        self._pass_time(time_ms)
        told = _log_odds(self._probability) - _log_odds(self._model.share)
        return min(self._cap, max(-self._cap, told))

    def _pass_time(self, time_ms: int) -> None:
        if self._time_ms is not None:
            passed_s = max(0.0, (time_ms - self._time_ms) / 1000)
            share, rate = self._model.share, 1 / self._model.every_s + 1 / self._model.lasts_s
            kept = 0.0 if passed_s > self._model.forget_s else math.exp(-rate * passed_s)
            self._probability = share + (self._probability - share) * kept
        self._time_ms = time_ms if self._time_ms is None else max(time_ms, self._time_ms)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {"probability": self._probability, "time_ms": self._time_ms, "looked_ms": self._looked_ms}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore :meth:`to_json`."""
        self._probability, self._time_ms, self._looked_ms = (
            state[key] for key in ("probability", "time_ms", "looked_ms")
        )


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-12), 1 - 1e-12)
    return math.log(bounded / (1 - bounded))
