"""Calibration: quantiles that keep their promise, learned online from what came true.

Each quantile of each step carries an offset, in widths of the forecast's outermost interval. When the truth of a step
is known, the offset of its quantile moves up or down so that in the long run the share of truths below the *issued*
quantile is its probability, whatever the forecaster and however the world drifts: adaptive conformal inference (Gibbs
and Candès 2021) in the form of online quantile tracking (Angelopoulos, Candès and Tibshirani 2023). Each step learns
from its own truths only, which are known as late as its horizon is long.

Two rows follow the steps: the smallest and the largest value of the whole horizon. Their raw quantiles are the smallest
and largest over the steps, which would be right if all steps moved together; their offsets and the tails beyond their
outermost quantiles are learned from the extremes that came true, so that how far steps do move together is learned too.

The state is data beside the model: serving applies the same :func:`calibrate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import DataError, Forecast

from .arrays import pack_array, unpack_array
from .policy import CalibrationPolicy

SMALLEST = -2
LARGEST = -1
_EXTREME_ROWS = 2
_RELATIVE_WIDTH = 1e-6
_SLOWEST = 0.05
"""Smallest factor by which narrow intervals shrink a step, so that they can always grow again."""

Quantiles = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationState:
    """What was learned about one sign's forecasts by one forecaster.

    Attributes:
        model: name and version of the forecaster it belongs to; another one starts anew.
        offsets: shape ``(horizon + 2, quantile)``, in widths.
        counts: truths learned from, shape ``(horizon + 2,)``.
        excesses: sums of excesses below the smallest's and above the largest's outermost quantile, in widths, shape (
        exceeded: how many such excesses there were, shape (2,).
    """

    model: str
    offsets: Quantiles
    counts: Quantiles
    excesses: Quantiles
    exceeded: Quantiles

    @classmethod
    def fresh(cls, model: str, horizon: int, quantiles: int) -> CalibrationState:
        """Return the state before anything was learned: no offset."""
        rows = horizon + _EXTREME_ROWS
        return cls(
            model,
            np.zeros((rows, quantiles), np.float32),
            np.zeros(rows, np.float32),
            np.zeros(_EXTREME_ROWS, np.float32),
            np.zeros(_EXTREME_ROWS, np.float32),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        arrays = ("offsets", "counts", "excesses", "exceeded")
        return {"model": self.model} | {name: pack_array(getattr(self, name)) for name in arrays}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> CalibrationState:
        """Restore :meth:`to_json`."""
        arrays = ("offsets", "counts", "excesses", "exceeded")
        return cls(state["model"], *(unpack_array(state[name]) for name in arrays))


def calibrate(forecast: Forecast, state: Mapping[str, Any]) -> Forecast:
    """Return the forecast with its quantiles moved by what was learned.

    Args:
        forecast: as the model gave it.
        state: the engine's state, or at least its entry :func:`calibration_key` of the forecast's sign. A forecast that
            it knows nothing of, or whose model has another version, is returned as it is.

    Raises:
        DataError: if the state has another horizon or other quantiles than the forecast.
    """
    learned = state.get(calibration_key(forecast.sign))
    if learned is None or learned["model"] != model_key(forecast):
        return forecast
    rows = issue(forecast, CalibrationState.from_json(learned))
    return replace(forecast, values=rows[:-_EXTREME_ROWS])


def calibration_key(sign: str) -> str:
    """Return the key of a sign's calibration in the engine's state."""
    return f"calibration/{sign}"


def model_key(forecast: Forecast) -> str:
    """Return what a calibration belongs to: the name and version of the model."""
    return f"{forecast.model}:{forecast.version}"


def fitting(state: CalibrationState | None, forecast: Forecast) -> CalibrationState:
    """Return the state if it belongs to the forecast's model, else a fresh one."""
    if state is not None and state.model == model_key(forecast):
        return state
    return CalibrationState.fresh(model_key(forecast), *forecast.values.shape)


def issue(forecast: Forecast, state: CalibrationState) -> Quantiles:
    """Return calibrated quantiles of every step and of the horizon's extremes, shape ``(horizon + 2, quantile)``."""
    raw = with_extremes(forecast.values)
    if state.offsets.shape != raw.shape:
        message = (
            f"The calibration of {forecast.sign!r} is for {state.offsets.shape} quantiles, its extremes included, "
            f"but {forecast.model!r} gave {raw.shape}. Discard the calibration of the former version."
        )
        raise DataError(message)
    moved = raw + state.offsets * widths(raw)[:, None]
    return np.sort(moved, axis=1).astype(np.float32)


def with_extremes(values: Quantiles) -> Quantiles:
    """Append the rows of the smallest and the largest value of the horizon, as if all steps moved together."""
    return np.concatenate([values, values.min(axis=0)[None], values.max(axis=0)[None]])


def widths(rows: Quantiles) -> Quantiles:
    """Return the width of each row's outermost interval, never zero, shape ``(row,)``."""
    smallest = _RELATIVE_WIDTH * np.maximum(1, np.abs(rows).max(axis=1))
    wide: Quantiles = np.maximum(rows[:, -1] - rows[:, 0], smallest).astype(np.float32)
    return wide


def learn_steps(
    state: CalibrationState,
    rows: Sequence[int],
    quantiles: tuple[float, ...],
    *,
    issued: Quantiles,
    truth: float,
    policy: CalibrationPolicy,
) -> CalibrationState:
    """Return the state after a truth became known that several forecasts had been issued for.

    Args:
        state: what was known.
        rows: steps, each once, or :data:`SMALLEST` or :data:`LARGEST`.
        quantiles: probabilities of the quantile axis.
        issued: the quantiles of those rows as they were issued, shape ``(row, quantile)``.
        truth: what came true.
        policy: how far to move.
    """
    offsets, counts = state.offsets.copy(), state.counts.copy()
    counts[rows] += 1
    first_steps = policy.first_step / np.sqrt(counts[rows]).astype(np.float64)
    steps = np.maximum(policy.step, first_steps) * np.maximum(_narrowing(offsets[rows]), _SLOWEST)
    below = truth <= issued
    offsets[rows] += steps.astype(np.float32)[:, None] * (np.asarray(quantiles, dtype=np.float32) - below)
    return replace(state, offsets=offsets, counts=counts)


def _narrowing(offsets: Quantiles) -> NDArray[np.float64]:
    """Return how wide each calibrated outermost interval is, in widths of the raw one, at most 1, shape ``(row,)``.

    Steps shrink with it; they do not grow with it, or one wild reading would widen what widens the next step.
    """
    return np.minimum(1.0, 1 + (offsets[:, -1] - offsets[:, 0]).astype(np.float64))


def learn_tail(state: CalibrationState, row: int, issued: Quantiles, truth: float) -> CalibrationState:
    """Return the state after an extreme fell beyond its outermost quantile, or unchanged when it did not."""
    excess = float(issued[0]) - truth if row == SMALLEST else truth - float(issued[-1])
    if excess <= 0:
        return state
    excesses, exceeded = state.excesses.copy(), state.exceeded.copy()
    excesses[row] += excess / float(widths(issued[None])[0])
    exceeded[row] += 1
    return replace(state, excesses=excesses, exceeded=exceeded)
