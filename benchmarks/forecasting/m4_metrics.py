"""The M4 competition's metrics: sMAPE, MASE, OWA over Naive2, MSIS and ACD (Makridakis et al., 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

INTERVAL = 0.95
"""Level of the prediction interval that MSIS and ACD judge."""
_CRITICAL = 1.645
"""Two-sided 90 % quantile of the normal distribution: the competition's test for a season."""


def seasonal_naive(series: Sequence[Array], horizon: int, season: int) -> Array:
    """Return the last season repeated, shape ``(series, horizon)``."""
    return np.array([np.resize(one[-season:], horizon) for one in series])


def naive2(series: Array, horizon: int, season: int) -> Array:
    """Return the competition's Naive2: the last value of the seasonally adjusted series, the season put back.

    Adjusted by classical multiplicative decomposition where the autocorrelation at the season is significant.
    """
    factors = _seasonal_factors(series, season) if _is_seasonal(series, season) else np.ones(season)
    last: float = series[-1] / factors[(len(series) - 1) % season]
    coming: Array = factors[(len(series) + np.arange(horizon)) % season]
    return last * coming


def seasonal_scale(series: Array, season: int) -> float:
    """Return the mean absolute seasonal difference of a series: the unit of MASE and MSIS."""
    return float(np.abs(series[season:] - series[:-season]).mean())


def score(
    actual: Array, median: Array, interval: tuple[Array, Array], series: Sequence[Array], season: int
) -> dict[str, float]:
    """Return sMAPE (percent), MASE, OWA, MSIS and ACD.

    Args:
        actual: shape ``(series, horizon)``.
        median: the same shape.
        interval: lower and upper end of the 95 % interval, each the same shape.
        series: what was known before, unequal lengths.
        season: steps of a season.
    """
    low, high = interval
    scales = np.array([seasonal_scale(one, season) for one in series])[:, None]
    penalty = 2 / (1 - INTERVAL)
    width = high - low + penalty * (np.maximum(low - actual, 0) + np.maximum(actual - high, 0))
    inside = (actual >= low) & (actual <= high)
    reference = np.array([naive2(one, actual.shape[1], season) for one in series])
    smape, mase = _smape(actual, median), float((np.abs(actual - median) / scales).mean())
    owa = (smape / _smape(actual, reference) + mase / float((np.abs(actual - reference) / scales).mean())) / 2
    return {
        "smape": smape,
        "mase": mase,
        "owa": owa,
        "msis": float((width / scales).mean()),
        "acd": abs(float(inside.mean()) - INTERVAL),
        "coverage_95": float(inside.mean()),
    }


def _smape(actual: Array, forecast: Array) -> float:
    return float(200 * (np.abs(actual - forecast) / (np.abs(actual) + np.abs(forecast))).mean())


def _is_seasonal(series: Array, season: int) -> bool:
    deviation = series - series.mean()
    products = [float(deviation[lag:] @ deviation[: len(series) - lag]) for lag in range(season + 1)]
    correlation = np.array(products[1:]) / products[0]
    limit = _CRITICAL * np.sqrt((1 + 2 * np.square(correlation[:-1]).sum()) / len(series))
    return bool(abs(correlation[-1]) > limit)


def _seasonal_factors(series: Array, season: int) -> Array:
    weights = np.r_[0.5, np.ones(season - 1), 0.5] / season  # centred average over an even season
    trend = np.full(len(series), np.nan)
    trend[season // 2 : len(series) - season // 2] = np.convolve(series, weights, "valid")
    ratio = series / trend
    factors = np.array([np.nanmean(ratio[phase::season]) for phase in range(season)])
    scaled: Array = factors * season / factors.sum()
    return scaled
