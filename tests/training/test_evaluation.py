from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts import DataError
from training import Dataset, RollingForecasts, parse_recipe, roll, score

from .recipes import TABLE, daily_values, series


def perfect(values: NDArray[np.float32], width: float = 0.0) -> RollingForecasts:
    levels = np.array([0.05, 0.5, 0.95])
    quantiles = values[:, :, None] + np.array([-width, 0, width], dtype=np.float32)
    count = len(values)
    zeros = np.zeros(count, dtype=np.int64)
    return RollingForecasts(levels, quantiles, values, values + 1, values + 2, zeros, zeros)


def test_a_perfect_forecast_has_no_error() -> None:
    figures = score(perfect(np.arange(12, dtype=np.float32).reshape(4, 3), width=0.5)).pooled
    assert figures["mae"] == 0
    assert figures["mae_last_value"] == 1
    assert figures["mae_seasonal_naive"] == 2
    assert figures["coverage_90"] == 1
    assert figures["width_90"] == pytest.approx(1.0)
    assert figures["mae_ratio"] == 0


def test_missing_targets_count_for_nobody() -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    values[0, 0] = np.nan
    scores = score(perfect(values))
    assert scores.count == 11
    assert scores.by_horizon["mae_last_value"].tolist() == [1, 1, 1]


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(DataError, match="No target"):
        score(perfect(np.full((4, 3), np.nan, dtype=np.float32)))


def test_an_interval_that_was_not_forecast_is_named() -> None:
    rolled = perfect(np.ones((2, 2), dtype=np.float32))
    narrow = RollingForecasts(
        np.array([0.1, 0.5, 0.9]), rolled.quantiles, *(rolled.actual,) * 3, rolled.series, rolled.steps
    )
    with pytest.raises(DataError, match=r"no quantile 0\.05"):
        score(narrow)


def test_baselines_are_spared_the_disturbance() -> None:
    values = daily_values()
    gate = 19 * 24
    values[gate + 30 : gate + 40] = 20.0  # a drop inside the gate window
    dataset = Dataset.of(parse_recipe(TABLE, "r", Path()), [series(values)])
    levels = len(dataset.recipe.spec.quantiles)
    rolled = roll(lambda feeds: np.full((len(feeds["context"]), 6, levels), 100, np.float32), dataset.gate(), 24)
    figures = score(rolled).pooled
    assert figures["mae_seasonal_naive"] < 1
    assert figures["mae_last_value"] < 6
    assert np.nanmin(rolled.actual) > 90


def test_the_seasonal_baseline_is_yesterday() -> None:
    values = daily_values()
    dataset = Dataset.of(parse_recipe(TABLE, "r", Path()), [series(values)])
    levels = len(dataset.recipe.spec.quantiles)
    rolled = roll(lambda feeds: np.zeros((len(feeds["context"]), 6, levels), np.float32), dataset.gate(), 24)
    np.testing.assert_array_equal(rolled.seasonal_naive[0], values[18 * 24 : 18 * 24 + 6])
    np.testing.assert_array_equal(rolled.last_value[0], np.repeat(values[19 * 24 - 1], 6))
    assert rolled.steps[0] == 19 * 24
