"""The figures of the field, by series, step and place, from utilsforecast and scoringrules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scoringrules
from numpy.typing import NDArray
from utilsforecast import losses

from contracts import DataError
from training.evaluation import RollingForecasts

FIGURES = (
    "mae",
    "rmse",
    "smape",
    "mase",
    "owa",
    "wql",
    "crps",
    "coverage",
    "acd",
    "msis",
    "mae_last_value",
    "mae_seasonal_naive",
    "mae_naive2",
)
"""Columns of every table. ``smape`` is in percent as in the M4 competition; ``owa`` is against Naive2; ``coverage`` and
``msis`` are of the widest interval; ``acd`` is the coverage's distance from that interval's level."""

_MODEL, _NAIVE2 = "model", "naive2"
_BASELINES = ("last_value", "seasonal_naive", _NAIVE2)
_PERCENT = 200.0  # utilsforecast's sMAPE is half of M4's, as a share


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """What came of a backtest.

    Attributes:
        pooled: figure → mean over all targets; ``mase``, ``msis`` and ``owa`` are means over series, as in M4.
        by_series: one row a series, with ``count`` of targets.
        by_horizon: one row a step, from 1.
        by_place: one row a place, over the series at it and below it; empty where no places are known.
        level: of the widest interval.
        origins: forecasts that were judged.
        targets: readings that were judged.
        rolled: the forecasts.
    """

    pooled: dict[str, float]
    by_series: pd.DataFrame
    by_horizon: pd.DataFrame
    by_place: pd.DataFrame
    level: float
    origins: int
    targets: int
    rolled: RollingForecasts


def measure_backtest(
    rolled: RollingForecasts,
    naive2: NDArray[np.float64],
    scales: NDArray[np.float64],
    signs: Sequence[str],
    places: Mapping[str, Sequence[str]] | None = None,
) -> Backtest:
    """Return every figure of rolling forecasts.

    Targets that a baseline cannot be scored on are left out for all.

    Args:
        rolled: forecasts and what came.
        naive2: Naive2's forecasts, shape ``(origin, horizon)``.
        scales: of each series, for MASE and MSIS; see :func:`seasonal_scales`.
        signs: ids of the series.
        places: sign → its place and all places above it.

    Raises:
        DataError: if no target can be judged.
    """
    judged = np.isfinite(rolled.actual) & np.isfinite(rolled.median) & np.isfinite(naive2)
    judged &= np.isfinite(rolled.last_value) & np.isfinite(rolled.seasonal_naive)
    if not judged.any():
        message = "No target of the window can be judged: all are missing or disturbed, or have no context. Widen it."
        raise DataError(message)
    frame, level = _frame(rolled, naive2, judged)
    by_series = _grouped(frame, "series", rolled.levels, level)
    _scale(by_series, scales[by_series.index])
    by_horizon = _grouped(frame, "step", rolled.levels, level)
    _scale(by_horizon, np.array([_mean_scale(group, scales) for _, group in frame.groupby("step")["series"]]))
    pooled = _grouped(frame.assign(all=0), "all", rolled.levels, level).iloc[0].to_dict()
    pooled |= {name: float(by_series[name].mean()) for name in ("mase", "msis", "mase_naive2")}
    pooled["owa"] = _owa(pooled)
    by_series.index = pd.Index([signs[number] for number in by_series.index], name="sign")
    by_horizon.index.name = "step"
    by_place = _by_place(by_series, places or {})
    kept = {name: float(pooled[name]) for name in FIGURES}
    columns = ["count", *FIGURES]
    return Backtest(
        pooled=kept,
        by_series=by_series[columns],
        by_horizon=by_horizon[columns],
        by_place=by_place,
        level=level,
        origins=int(judged.any(1).sum()),
        targets=int(judged.sum()),
        rolled=rolled,
    )


def _frame(
    rolled: RollingForecasts, naive2: NDArray[np.float64], judged: NDArray[np.bool_]
) -> tuple[pd.DataFrame, float]:
    """Return one row a judged target, and the level of the widest interval."""
    origins, steps = np.nonzero(judged)
    level = float(rolled.levels[-1] - rolled.levels[0])
    actual = rolled.actual[judged].astype(np.float64)
    quantiles = rolled.quantiles[judged].astype(np.float64)  # (target, quantile)
    low, high = quantiles[:, 0], quantiles[:, -1]
    columns = {
        "series": rolled.series[origins],
        "step": steps + 1,
        "y": actual,
        _MODEL: rolled.median[judged].astype(np.float64),
        "last_value": rolled.last_value[judged].astype(np.float64),
        "seasonal_naive": rolled.seasonal_naive[judged].astype(np.float64),
        _NAIVE2: naive2[judged],
        "inside": ((actual >= low) & (actual <= high)).astype(np.float64),
        "interval": scoringrules.interval_score(actual, low, high, 1 - level) if level > 0 else np.nan,
        "crps": scoringrules.crps_quantile(actual, quantiles, rolled.levels),
        "magnitude": np.abs(actual),
    }
    columns |= {f"q{index}": quantiles[:, index] for index in range(quantiles.shape[1])}
    return pd.DataFrame(columns), level


def _grouped(frame: pd.DataFrame, key: str, levels: NDArray[np.float64], level: float) -> pd.DataFrame:
    """Return the figures that need no scale, one row for each value of a column."""
    points = [_MODEL, *_BASELINES]
    mae, smape = (loss(frame, points, id_col=key).set_index(key) for loss in (losses.mae, losses.smape))
    rmse = losses.rmse(frame, [_MODEL], id_col=key).set_index(key)
    columns = {_MODEL: [f"q{index}" for index in range(len(levels))]}
    pinball = losses.mqloss(frame, columns, levels, id_col=key).set_index(key)
    groups = frame.groupby(key)
    means = groups[["inside", "interval", "crps", "magnitude"]].mean()
    table = pd.DataFrame(
        {
            "count": groups.size(),
            "mae": mae[_MODEL],
            "rmse": rmse[_MODEL],
            "smape": _PERCENT * smape[_MODEL],
            "smape_naive2": _PERCENT * smape[_NAIVE2],
            "wql": 2 * pinball[_MODEL] / means["magnitude"].where(means["magnitude"] > 0),
            "crps": means["crps"],
            "coverage": means["inside"],
            "acd": (means["inside"] - level).abs(),
            "interval": means["interval"],
        }
    )
    for name in _BASELINES:
        table[f"mae_{name}"] = mae[name]
    return table


def _scale(table: pd.DataFrame, scales: NDArray[np.float64]) -> None:
    """Add the figures in units of each series' own scale."""
    table["mase"] = table["mae"] / scales
    table["mase_naive2"] = table["mae_naive2"] / scales
    table["msis"] = table["interval"] / scales
    table["owa"] = _owa(table)


def _owa(figures: Mapping[str, float] | pd.DataFrame) -> float | pd.Series:
    return (figures["smape"] / figures["smape_naive2"] + figures["mase"] / figures["mase_naive2"]) / 2


def _mean_scale(series: pd.Series, scales: NDArray[np.float64]) -> float:
    return float(np.nanmean(scales[series.to_numpy()]))


def _by_place(by_series: pd.DataFrame, places: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return the means over the series at a place and below it."""
    pairs = [(place, sign) for sign in by_series.index for place in places.get(sign, ())]
    names = ["mase", "smape", "owa", "wql", "coverage", "acd", "msis"]
    if not pairs:
        return pd.DataFrame(columns=["signs", *names])
    joined = pd.DataFrame(pairs, columns=["place", "sign"]).join(by_series[names], on="sign")
    groups = joined.groupby("place")
    return groups[names].mean().assign(signs=groups.size())[["signs", *names]]
