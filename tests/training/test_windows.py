from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import CalendarSpec, DataError, ForecastSpec
from training.windows import SeriesBuffer, WindowBatches

from .recipes import HOUR_MS, START_MS, daily_values, series

SPEC = ForecastSpec(context=24, horizon=3, interval_s=3600, quantiles=(0.5,))


def all_of(buffer: SeriesBuffer, start: int, end: int) -> WindowBatches:
    return WindowBatches(buffer, buffer, buffer.origins(START_MS + start * HOUR_MS, START_MS + end * HOUR_MS), 7)


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=4), start=st.integers(0, 30), size=st.integers(1, 40))
def test_each_window_is_the_readings_before_and_after_its_origin(lengths: list[int], start: int, size: int) -> None:
    rows = [np.arange(length, dtype=np.float32) + 1000 * number for number, length in enumerate(lengths)]
    windows = all_of(SeriesBuffer([series(row, f"s{i}") for i, row in enumerate(rows)], SPEC), start, start + size)
    expected = [
        (number, step)
        for number, row in enumerate(rows)
        for step in range(max(start, 1), min(start + size, len(row)) - SPEC.horizon + 1)
    ]
    assert len(windows) == len(expected)
    found = [pair for batch in windows for pair in zip(batch.context.numpy(), batch.target.numpy(), strict=True)]
    for (number, step), (context, target) in zip(expected, found, strict=True):
        padded = np.concatenate([np.full(SPEC.context, np.nan, dtype=np.float32), rows[number]])
        np.testing.assert_array_equal(context, padded[step : step + SPEC.context])
        np.testing.assert_array_equal(target, rows[number][step : step + SPEC.horizon])


def test_windows_are_views_and_not_copies() -> None:
    buffer = SeriesBuffer([series(daily_values())], SPEC)
    assert buffer.windows().untyped_storage().data_ptr() == buffer.values.untyped_storage().data_ptr()
    assert buffer.windows().untyped_storage().nbytes() == buffer.values.nbytes


def test_iterating_again_starts_again_and_draws_repeat_with_their_seed() -> None:
    windows = all_of(SeriesBuffer([series(daily_values())], SPEC), 0, 200)
    first, second = ([batch.context for batch in windows] for _ in range(2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))
    one, two = (windows.draw(np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.context, two.context)


def test_the_calendar_covers_context_and_horizon() -> None:
    spec = SPEC.model_copy(update={"calendar": CalendarSpec(timezone="UTC", country=None)})
    buffer = SeriesBuffer([series(daily_values())], spec)
    batch = WindowBatches(buffer, buffer, buffer.origins(START_MS, START_MS + 100 * HOUR_MS)).take(np.array([0]))
    assert batch.calendar is not None
    assert batch.calendar.shape == (1, 27, 6)
    hours = np.arange(1 - spec.context, 1 + spec.horizon)
    np.testing.assert_allclose(batch.calendar[0, :, 0], np.sin(2 * np.pi * hours / 24), atol=1e-6)


def test_no_series_is_an_error() -> None:
    with pytest.raises(DataError, match="no series"):
        SeriesBuffer([], SPEC)


def test_a_thinned_sample_is_even_over_signs_and_time() -> None:
    rows = [np.full(500, number, dtype=np.float32) for number in range(4)]
    windows = all_of(SeriesBuffer([series(row, f"s{i}") for i, row in enumerate(rows)], SPEC), 0, 500)
    thin = windows.thinned(100, seed=1)
    assert len(thin) == 100
    assert thin.population == len(windows)
    kept, steps = thin.positions(np.arange(100))
    assert np.bincount(kept).tolist() == [25, 25, 25, 25]
    assert all(np.diff(steps[kept == number]).max() < 45 for number in range(4))
    numbers = [batch.target[:, 0].numpy() for batch in thin]
    np.testing.assert_array_equal(np.concatenate(numbers), kept.astype(np.float32))
    assert len(thin.thinned(7)) == 7
    assert windows.thinned(len(windows)) is windows
    again = windows.thinned(100, seed=1).positions(np.arange(100))[1]
    np.testing.assert_array_equal(again, steps)
