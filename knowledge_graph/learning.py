"""Learning from verdicts: a noisy-OR's links as Beta counts, moved by responsibility, drawn back to the expert.

A verdict says whether the risk came; which of the present causes brought it is not seen. Each present cause takes its
share of the credit (the E-step of EM for noisy-OR; Vomlel 2006), weighted by the inverse of the probability that the
case was looked at, so that audited quiet cases speak for all quiet ones. Old counts fade toward the expert's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts import DataError

LEAK = "leak"
_ITERATIONS = 200
_TOLERANCE = 1e-9
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Beta:
    """Pseudo-counts of a share: ``yes`` for and ``no`` against."""

    yes: float
    no: float

    @property
    def mean(self) -> float:
        """The share."""
        return self.yes / (self.yes + self.no)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Judged cases.

    Attributes:
        present: cause → whether (or how probably) it was there, shape ``(cases,)``.
        came: whether the risk came, shape ``(cases,)``.
        looked: probability that the case was looked at: 1 for a warning, the audit's rate for a quiet case.
        storm: number of the event that a case belongs to; the cases of one event count as one in all.
    """

    present: Mapping[str, NDArray[np.float64]]
    came: NDArray[np.bool_]
    looked: NDArray[np.float64]
    storm: NDArray[np.int64]

    def weights(self) -> NDArray[np.float64]:
        """Return each case's weight: inverse probability, shared among the cases of its event.

        Weights far apart say less than their sum: together they count as Kish's effective number of events
        (Kish 1965), never as more, so that a few audits that stand for thousands do not silence the expert.

        Raises:
            DataError: if a case was looked at with a probability outside (0, 1].
        """
        if not ((self.looked > 0) & (self.looked <= 1)).all():
            message = "Each case needs a probability within (0, 1] of having been looked at. Set it to 1 for a warning."
            raise DataError(message)
        _, index, sizes = np.unique(self.storm, return_inverse=True, return_counts=True)
        weights = np.asarray(1 / self.looked / sizes[index])
        events = np.bincount(index, weights)
        if not events.size:
            return weights
        return weights * min(1.0, float(events.sum() / (events**2).sum()))


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """What is believed of a risk's links and leak.

    Attributes:
        expert: name → the veteran's own counts, which old evidence fades toward; ``leak`` among them.
        seen: name → counts that verdicts added.
        memory: share of what was seen that stays when the next batch is learned.
    """

    expert: Mapping[str, Beta]
    seen: Mapping[str, Beta] = field(default_factory=dict)
    memory: float = 0.8

    def believed(self, name: str) -> Beta:
        """Return the expert's counts and those that verdicts added."""
        own, added = self.expert[name], self.seen.get(name, Beta(0.0, 0.0))
        return Beta(own.yes + added.yes, own.no + added.no)

    def rates(self) -> dict[str, float]:
        """Return the share of each link, and of the leak."""
        return {name: self.believed(name).mean for name in self.expert}

    def learn(self, verdicts: Verdicts) -> LinkCounts:
        """Return the counts after a batch of verdicts: EM from the faded counts to a fixed point.

        Raises:
            DataError: if a cause is missing or unknown, or the arrays differ in length.
        """
        names = [name for name in self.expert if name != LEAK]
        if set(names) != set(verdicts.present):
            message = f"The verdicts hold the causes {sorted(verdicts.present)}; the rule has {sorted(names)}."
            raise DataError(message)
        lengths = {verdicts.came.size, verdicts.looked.size, verdicts.storm.size}
        lengths |= {array.size for array in verdicts.present.values()}
        if len(lengths) != 1:
            message = f"The verdicts' arrays have the lengths {sorted(lengths)}. Give one value per case in each."
            raise DataError(message)
        weights = verdicts.weights()
        there = np.stack([*(verdicts.present[name] for name in names), np.ones(verdicts.came.size)])
        faded = [self._faded(name) for name in (*names, LEAK)]
        base = np.array([[beta.yes, beta.no] for beta in faded])
        fired, quiet = _expect(there, verdicts.came, weights, base)
        seen = {}
        for index, name in enumerate((*names, LEAK)):
            old, own = faded[index], self.expert[name]
            seen[name] = Beta(old.yes - own.yes + fired[index], old.no - own.no + quiet[index])
        return LinkCounts(self.expert, seen, self.memory)

    def _faded(self, name: str) -> Beta:
        own, added = self.expert[name], self.seen.get(name, Beta(0.0, 0.0))
        return Beta(own.yes + self.memory * added.yes, own.no + self.memory * added.no)


def probabilities(rates: Mapping[str, float], present: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return P(risk) of each case: 1 - (1 - leak) Π (1 - present · link)."""
    quiet = np.full(next(iter(present.values())).shape, 1 - rates[LEAK])
    for name, there in present.items():
        quiet = quiet * (1 - there * rates[name])
    return np.asarray(1 - quiet)


def calibration_error(probability: NDArray[np.float64], came: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal width."""
    index = np.minimum((probability * bins).astype(np.int64), bins - 1)
    gaps = [
        abs(float(probability[index == bin_].mean()) - float(came[index == bin_].mean()))
        * float((index == bin_).mean())
        for bin_ in np.unique(index)
    ]
    return float(sum(gaps))


def _expect(
    there: NDArray[np.float64], came: NDArray[np.bool_], weights: NDArray[np.float64], base: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Iterate EM; return how often each link fired and how often it stayed quiet though present.

    Args:
        there: shape ``(links, cases)``.
        came: shape ``(cases,)``.
        weights: shape ``(cases,)``.
        base: counts to start from and to add to, shape ``(links, 2)``.
    """
    rate = base[:, 0] / base.sum(axis=1)
    fired = np.zeros(rate.size)
    quiet = np.zeros(rate.size)
    for _ in range(_ITERATIONS):
        strength = there * rate[:, None]
        risk = 1 - np.prod(1 - strength, axis=0)
        share = np.where(came, strength / np.maximum(risk, _TINY), 0.0)
        fired = share @ weights
        quiet = (there - share).clip(min=0) @ weights
        updated = (base[:, 0] + fired) / (base.sum(axis=1) + fired + quiet)
        if np.abs(updated - rate).max() < _TOLERANCE:
            break
        rate = updated
    return fired, quiet
