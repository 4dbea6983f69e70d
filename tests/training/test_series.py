from __future__ import annotations

import numpy as np
import pytest

from contracts import DataError
from training import regular_series

from .recipes import HOUR_MS, START_MS


def test_readings_are_laid_on_the_grid_and_gaps_stay_missing() -> None:
    times = START_MS + HOUR_MS * np.array([3, 0, 1])
    made = regular_series("a", times, np.array([4, 1, 2], dtype=np.float32), 3600)
    np.testing.assert_array_equal(made.values, np.array([1, 2, np.nan, 4], dtype=np.float32))
    assert made.start_ms == START_MS
    assert made.end_ms == START_MS + 4 * HOUR_MS
    assert made.step(START_MS + 1) == 1


def test_the_last_reading_of_a_step_stands() -> None:
    times = START_MS + HOUR_MS * np.array([0, 0])
    assert regular_series("a", times, np.array([1, 2], dtype=np.float32), 3600).values.tolist() == [2]


def test_readings_off_the_grid_are_named() -> None:
    times = START_MS + np.array([0, HOUR_MS + 5])
    with pytest.raises(DataError, match="1 readings of 'a' do not lie on a grid of 3600 s"):
        regular_series("a", times, np.array([1, 2], dtype=np.float32), 3600)


def test_no_readings_is_an_error() -> None:
    with pytest.raises(DataError, match="has no readings"):
        regular_series("a", np.array([], dtype=np.int64), np.array([], dtype=np.float32), 3600)


def test_fingerprint_follows_every_value() -> None:
    times = START_MS + HOUR_MS * np.arange(3)
    one = regular_series("a", times, np.array([1, 2, 3], dtype=np.float32), 3600)
    two = regular_series("a", times, np.array([1, 2, 4], dtype=np.float32), 3600)
    assert one.fingerprint() != two.fingerprint()
