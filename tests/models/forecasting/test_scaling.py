from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.forecasting import fill_gaps, mask_outliers, window_mean, window_median, window_scale

reading = st.one_of(st.just(float("nan")), st.floats(-1e3, 1e3, width=32))
windows = hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 40)), elements=reading)


@given(windows)
def test_gaps_are_filled_by_a_line_as_pandas_does(values: np.ndarray) -> None:
    filled = fill_gaps(torch.from_numpy(values)).numpy()
    expected = pd.DataFrame(values.astype(np.float64)).interpolate(axis=1, limit_direction="both").to_numpy()
    np.testing.assert_allclose(filled, expected, rtol=1e-4, atol=1e-2)


@given(windows)
def test_known_readings_stay_as_they_are(values: np.ndarray) -> None:
    filled = fill_gaps(torch.from_numpy(values), season=3).numpy()
    known = ~np.isnan(values)
    np.testing.assert_array_equal(filled[known], values[known])
    assert np.isnan(filled).any(1).tolist() == np.isnan(values).all(1).tolist()


def test_gaps_take_the_season_before() -> None:
    values = torch.tensor([[1.0, 2.0, torch.nan, 4.0, torch.nan, torch.nan, torch.nan]])
    assert fill_gaps(values, season=3)[0].tolist()[3:6] == [4.0, 2.0, 3.0]


@given(windows)
def test_statistics_leave_missing_readings_out(values: np.ndarray) -> None:
    whole = values[~np.isnan(values).all(1)]
    tensor = torch.from_numpy(whole)
    np.testing.assert_allclose(window_mean(tensor)[:, 0], np.nanmean(whole, 1), rtol=1e-4, atol=1e-3)
    lower = [np.sort(row[~np.isnan(row)])[(np.isfinite(row).sum() - 1) // 2] for row in whole]
    np.testing.assert_array_equal(window_median(tensor)[:, 0], np.array(lower, dtype=np.float32))
    assert (window_scale(torch.from_numpy(values)) > 0).all()


def test_outliers_become_missing_and_a_slow_rise_does_not() -> None:
    time = torch.arange(48.0)
    values = (100 + torch.sin(time / 4) + time / 48)[None].clone()
    values[0, 20:26] = 24.0
    masked = mask_outliers(values, 6.0)
    assert torch.isnan(masked[0, 20:26]).all()
    assert torch.isfinite(masked[0, :20]).all()
    assert torch.isfinite(masked[0, 26:]).all()
