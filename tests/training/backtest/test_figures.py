"""The figures of the field against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import DataError
from training import RollingForecasts
from training.backtest import FIGURES, measure_backtest, naive2, seasonal_scales

LEVELS = np.array([0.05, 0.5, 0.95])


def rolled(actual: np.ndarray, median: np.ndarray, width: float = 2.0) -> RollingForecasts:
    offsets = np.array([-width / 2, 0, width / 2])
    origins = len(actual)
    return RollingForecasts(
        levels=LEVELS,
        quantiles=(median[:, :, None] + offsets).astype(np.float32),
        actual=actual.astype(np.float32),
        last_value=(actual + 1).astype(np.float32),
        seasonal_naive=(actual + 2).astype(np.float32),
        series=np.arange(origins) % 2,
        steps=np.arange(origins),
    )


def test_every_figure_is_what_its_definition_says() -> None:
    random = np.random.default_rng(0)
    actual, median = random.uniform(5, 9, (8, 3)), random.uniform(5, 9, (8, 3))
    actual[3, 1] = np.nan
    yardstick, scales = actual + 0.5, np.array([2.0, 4.0])
    places = {"a": ["street", "city"], "b": ["city"]}
    found = measure_backtest(rolled(actual, median), yardstick, scales, ["a", "b"], places)
    error = np.abs(actual - median)
    inside = np.where(np.isnan(actual), np.nan, error <= 1)
    miss = np.maximum(error - 1, 0)
    interval = 2 + 2 / 0.1 * miss
    assert found.targets == 23
    assert found.level == pytest.approx(0.9)
    assert found.pooled["mae"] == pytest.approx(np.nanmean(error), rel=1e-5)
    assert found.pooled["rmse"] == pytest.approx(np.sqrt(np.nanmean(error**2)), rel=1e-5)
    assert found.pooled["smape"] == pytest.approx(np.nanmean(200 * error / (actual + median)), rel=1e-5)
    assert found.pooled["coverage"] == pytest.approx(np.nanmean(inside))
    assert found.pooled["acd"] == pytest.approx(abs(np.nanmean(inside) - 0.9))
    assert found.pooled["mae_naive2"] == pytest.approx(0.5, rel=1e-5)
    of_a = found.by_series.loc["a"]
    assert of_a["mase"] == pytest.approx(np.nanmean(error[::2]) / 2, rel=1e-5)
    assert of_a["msis"] == pytest.approx(np.nanmean(interval[::2]) / 2, rel=1e-5)
    assert found.pooled["mase"] == pytest.approx(found.by_series["mase"].mean())
    owa = (of_a["smape"] / np.nanmean(200 * 0.5 / (2 * actual[::2] + 0.5)) + np.nanmean(error[::2]) / 0.5) / 2
    assert of_a["owa"] == pytest.approx(owa, rel=1e-4)
    assert found.by_horizon["mae"].to_numpy() == pytest.approx(np.nanmean(error, 0), rel=1e-5)
    quantiles = median[:, :, None] + np.array([-1, 0, 1])
    loss = actual[:, :, None] - quantiles
    pinball = np.maximum(LEVELS * loss, (LEVELS - 1) * loss)
    assert found.pooled["wql"] == pytest.approx(2 * np.nanmean(pinball) / np.nanmean(actual), rel=1e-5)
    assert found.by_place.loc["city", "mase"] == pytest.approx(found.pooled["mase"])
    assert found.by_place.loc["street", "signs"] == 1
    assert set(found.pooled) == set(FIGURES)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), width=st.floats(0.1, 20))
def test_bounds(seed: int, width: float) -> None:
    random = np.random.default_rng(seed)
    actual, median = random.normal(0, 5, (6, 2)), random.normal(0, 5, (6, 2))
    found = measure_backtest(rolled(actual, median, width), actual - 1, np.array([1.0, 1.0]), ["a", "b"])
    assert 0 <= found.pooled["coverage"] <= 1
    assert 0 <= found.pooled["smape"] <= 200
    assert found.pooled["rmse"] >= found.pooled["mae"] - 1e-6
    assert found.pooled["msis"] >= width - 1e-4
    assert len(found.by_place) == 0


def test_nothing_to_judge_is_said() -> None:
    nothing = np.full((4, 2), np.nan)
    with pytest.raises(DataError, match="No target of the window can be judged"):
        measure_backtest(rolled(nothing, np.ones((4, 2))), np.ones((4, 2)), np.ones(2), ["a", "b"])


def test_naive2_takes_the_season_out_and_puts_it_back() -> None:
    profile = np.array([1.0, 2.0, 3.0, 2.0])
    level = 10 * 1.01 ** np.arange(40)
    context = (level * np.tile(profile, 10))[None].astype(np.float32)
    forecast = naive2(context, 4, 8)[0]
    indices = profile / 2
    np.testing.assert_allclose(forecast, context[0, -1] / indices[3] * indices[np.arange(8) % 4], rtol=0.03)
    walk = np.cumsum(np.random.default_rng(1).normal(size=(1, 40)), 1) + 50
    np.testing.assert_allclose(naive2(walk.astype(np.float32), 4, 3), np.float32(walk[:, -1:]).repeat(3, 1))
    gap = context.copy()
    gap[0, -1] = np.nan
    assert np.isfinite(naive2(gap, 4, 3)).all()
    assert np.isnan(naive2(np.full((1, 40), np.nan, np.float32), 4, 3)).all()


def test_the_scale_is_the_mean_seasonal_step() -> None:
    rising = np.arange(10, dtype=np.float32)
    scales = seasonal_scales([rising, np.ones(10, np.float32), rising[:2]], 3)
    assert scales[0] == 3
    assert np.isnan(scales[1:]).all()
