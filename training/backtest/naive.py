"""The two yardsticks of the M4 competition: the scale of a series, and the Naive2 forecast.

Makridakis et al., 2020, "The M4 Competition". Naive2 repeats the last value of a series that was seasonally adjusted by
classical multiplicative decomposition where it is seasonal at 90 %, and puts the season back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SEASONAL_AT = 1.645
_FEWEST_SEASONS = 3


def seasonal_scales(series: Sequence[NDArray[np.float32]], season: int) -> NDArray[np.float64]:
    """Return the mean absolute step from one season to the next of each series; NaN where there is none or it is 0.

    Args:
        series: readings of the train window, each of shape ``(time,)``.
        season: steps of a season.
    """
    scales = np.full(len(series), np.nan)
    for number, values in enumerate(series):
        steps = np.abs(values[season:] - values[:-season])
        known = steps[np.isfinite(steps)]
        if len(known) and known.mean() > 0:
            scales[number] = known.mean()
    return scales


def naive2(contexts: NDArray[np.float32], season: int, horizon: int) -> NDArray[np.float64]:
    """Return the Naive2 forecasts of contexts.

    Args:
        contexts: shape ``(batch, time)``, NaN where missing; gaps take the last known value.
        season: steps of a season.
        horizon: steps to forecast.

    Returns:
        Shape ``(batch, horizon)``; NaN where a context has no reading.
    """
    filled = _carry(np.asarray(contexts, np.float64))
    flat = np.repeat(filled[:, -1:], horizon, 1)
    length = filled.shape[1]
    if season < 2 or length < _FEWEST_SEASONS * season:  # noqa: PLR2004 - a season of one step is none
        return flat
    positive = (filled > 0).all(1)
    chosen = np.flatnonzero(positive & _is_seasonal(filled, season))
    if len(chosen):
        indices = _seasonal_indices(filled[chosen], season)  # (row, phase)
        last = filled[chosen, -1] / indices[:, (length - 1) % season]
        flat[chosen] = last[:, None] * indices[:, (length + np.arange(horizon)) % season]
    return flat


def _carry(contexts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carry known values forward, and the first one back."""
    length = contexts.shape[1]
    known = np.isfinite(contexts)
    index = np.where(known, np.arange(length), 0)
    np.maximum.accumulate(index, axis=1, out=index)
    index = np.maximum(index, known.argmax(1)[:, None])
    return np.take_along_axis(contexts, index, 1)


def _is_seasonal(filled: NDArray[np.float64], season: int) -> NDArray[np.bool_]:
    """Test the autocorrelation at the season against Bartlett's limit, as the competition's code does."""
    centred = filled - filled.mean(1, keepdims=True)
    total = (centred**2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        acf = np.stack([(centred[:, lag:] * centred[:, :-lag]).sum(1) / total for lag in range(1, season + 1)], 1)
        limit = SEASONAL_AT * np.sqrt((1 + 2 * (acf[:, :-1] ** 2).sum(1)) / filled.shape[1])
        return np.asarray(np.abs(acf[:, -1]) > limit)


def _seasonal_indices(filled: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return the index of each phase, by classical multiplicative decomposition, shape ``(row, phase)``."""
    length = filled.shape[1]
    weights = np.full(season + 1 - season % 2, 1 / season)
    if season % 2 == 0:
        weights[[0, -1]] = 0.5 / season  # an even season's average is centred between two steps
    half = len(weights) // 2
    windows = np.lib.stride_tricks.sliding_window_view(filled, len(weights), axis=1)
    ratio = filled[:, half : length - half] / (windows @ weights)
    phases = (half + np.arange(ratio.shape[1])) % season
    indices = np.stack([ratio[:, phases == phase].mean(1) for phase in range(season)], 1)
    return indices / indices.mean(1, keepdims=True)
