"""Rolling-origin evaluation: how good forecasts were, beside the two baselines that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import DataError

from .windows import WindowBatches

Predict = Callable[[dict[str, NDArray[np.float32]]], NDArray[np.float32]]
"""From input tensors by name to quantiles ``(batch, horizon, quantile)``."""

INTERVAL = (0.05, 0.95)
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class RollingForecasts:
    """Forecasts from every origin of a window, with what came.

    Attributes:
        levels: probabilities, shape ``(quantile,)``.
        quantiles: shape ``(origin, horizon, quantile)``.
        actual: shape ``(origin, horizon)``; NaN where missing, disturbed or not to be judged.
        last_value: the last reading before each origin, shape ``(origin, horizon)``.
        seasonal_naive: the reading one season before, shape ``(origin, horizon)``.
        series: index of the series, shape ``(origin,)``.
        steps: step of the first target, shape ``(origin,)``.
    """

    levels: NDArray[np.float64]
    quantiles: NDArray[np.float32]
    actual: NDArray[np.float32]
    last_value: NDArray[np.float32]
    seasonal_naive: NDArray[np.float32]
    series: NDArray[np.int64]
    steps: NDArray[np.int64]

    @property
    def median(self) -> NDArray[np.float32]:
        """Shape ``(origin, horizon)``."""
        return self.quantiles[:, :, self._level(0.5)]

    @property
    def low(self) -> NDArray[np.float32]:
        """Lower end of the 90 % interval, shape ``(origin, horizon)``."""
        return self.quantiles[:, :, self._level(INTERVAL[0])]

    @property
    def high(self) -> NDArray[np.float32]:
        """Upper end of the 90 % interval, shape ``(origin, horizon)``."""
        return self.quantiles[:, :, self._level(INTERVAL[1])]

    def _level(self, level: float) -> int:
        index = int(np.abs(self.levels - level).argmin())
        if abs(self.levels[index] - level) > _TOLERANCE:
            message = f"The forecast has no quantile {level}; it has {self.levels.tolist()}. Add it to the recipe."
            raise DataError(message)
        return index


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Figures over a window: pooled, and for each step of the horizon.

    Attributes:
        pooled: name → figure.
        by_horizon: name → figure of each step, shape ``(horizon,)``.
        count: judged targets.
    """

    pooled: dict[str, float]
    by_horizon: dict[str, NDArray[np.float64]]
    count: int


def roll(predict: Predict, windows: WindowBatches, season: int) -> RollingForecasts:
    """Forecast from every origin of a window.

    Both baselines are spared the disturbances: only windows whose last reading is undisturbed are judged, and the
    seasonal one takes the last undisturbed reading of the same phase.

    Args:
        predict: a fitted model.
        windows: contexts as measured, targets with disturbed hours left out.
        season: steps of a season, for the seasonal naive baseline.
    """
    spec, parts = windows.spec, []
    for batch, calm in zip(windows, windows.calm_contexts(), strict=True):
        context, actual = batch.context.numpy(), batch.target.numpy().copy()
        feeds = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in batch.inputs.items()}
        too_few = np.isfinite(context).sum(1) < spec.minimum_observed
        actual[too_few] = np.nan
        last = np.repeat(_carried(context)[:, -1:], spec.horizon, 1)
        parts.append((predict(feeds), actual, last, _season_ago(calm, season, spec.horizon)))
    series, steps = windows.positions(np.arange(len(windows)))
    quantiles, actual, last, seasonal = (np.concatenate(column) for column in zip(*parts, strict=True))
    actual[windows.disturbed_origins()] = np.nan
    return RollingForecasts(np.array(spec.quantiles), quantiles, actual, last, seasonal, series, steps)


def score(rolled: RollingForecasts) -> Scores:
    """Return MAE, RMSE, pinball loss, WQL, interval coverage and width, and both baselines' MAE.

    Targets that a baseline cannot be scored on are left out for all, so that every figure is over the same targets.

    Raises:
        DataError: if no target can be judged.
    """
    judged = np.isfinite(rolled.actual) & np.isfinite(rolled.last_value) & np.isfinite(rolled.seasonal_naive)
    judged &= np.isfinite(rolled.median)
    if not judged.any():
        message = "No target of the window can be judged: all are missing, disturbed or without context. Widen it."
        raise DataError(message)
    actual = np.where(judged, rolled.actual, np.nan)
    error = actual - rolled.median
    pinball = _pinball(actual, rolled)
    inside = np.where(judged, (actual >= rolled.low) & (actual <= rolled.high), np.nan)
    columns = {
        "mae": np.abs(error),
        "mae_last_value": np.abs(actual - rolled.last_value),
        "mae_seasonal_naive": np.abs(actual - rolled.seasonal_naive),
        "mse": error**2,
        "pinball": pinball,
        "coverage_90": inside,
        "width_90": np.where(judged, rolled.high - rolled.low, np.nan),
        "magnitude": np.abs(actual),
    }
    pooled = {name: float(np.nanmean(column)) for name, column in columns.items()}
    with np.errstate(invalid="ignore"):
        by_horizon = {name: _by_horizon(column, judged) for name, column in columns.items()}
    figures = {name: float(value) for name, value in _finish(pooled).items()}
    return Scores(figures, _finish(by_horizon), int(judged.sum()))


def _finish(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Add the figures that follow from others; works on floats and on arrays by step alike."""
    better = np.minimum(figures["mae_last_value"], figures["mae_seasonal_naive"])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.divide(figures["mae"], better)
        wql = np.divide(2 * figures["pinball"], figures["magnitude"])
    kept = {name: value for name, value in figures.items() if name not in ("mse", "magnitude")}
    return {**kept, "rmse": figures["mse"] ** 0.5, "mae_ratio": ratio, "wql": wql}


def _by_horizon(column: NDArray[np.float64], judged: NDArray[np.bool_]) -> NDArray[np.float64]:
    total = np.where(judged, column, 0).sum(0)
    return np.divide(total, judged.sum(0), out=np.full(total.shape, np.nan), where=judged.any(0))


def _pinball(actual: NDArray[np.float32], rolled: RollingForecasts) -> NDArray[np.float64]:
    """Return the mean over quantiles; one after the other, since all at once would be many times the forecasts."""
    total = np.zeros(actual.shape)
    for index, level in enumerate(rolled.levels):
        error = actual - rolled.quantiles[:, :, index]
        total += np.maximum(level * error, (level - 1) * error)
    return total / len(rolled.levels)


def _carried(context: NDArray[np.float32]) -> NDArray[np.float32]:
    """Carry each last known reading forward along time."""
    index = np.where(np.isfinite(context), np.arange(context.shape[1]), 0)
    np.maximum.accumulate(index, axis=1, out=index)
    return np.take_along_axis(context, index, 1)


def _season_ago(context: NDArray[np.float32], season: int, horizon: int) -> NDArray[np.float32]:
    """Return the readings one season before each target; an older season's where that one is missing."""
    length = context.shape[1]
    found = np.full((len(context), horizon), np.nan, dtype=np.float32)
    for back in range(1, length // season + 1):
        positions = length + np.arange(horizon) - season * (np.arange(horizon) // season + back)
        usable = positions >= 0
        values = context[:, np.maximum(positions, 0)]
        found = np.where(np.isnan(found) & usable, values, found)
    return found
