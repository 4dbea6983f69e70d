"""Windows and series: on the grid, as known at a time, never from the future."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import Quality, UnknownSignError
from store import Store

from .examples import HOUR_MS, START_MS, make_reading

NAN = float("nan")


def test_a_window_stands_on_the_grid_and_has_nan_where_nothing_came(store: Store) -> None:
    store.inbox.append([make_reading(1.0), make_reading(2.0, hours=1), make_reading(4.0, hours=3)], 1)
    window = store.readings.window(["flow", "pressure"], START_MS + 3 * HOUR_MS, 5)
    assert window["flow"].dtype == np.float32
    np.testing.assert_array_equal(window["flow"], [NAN, 1, 2, NAN, 4])
    np.testing.assert_array_equal(window["pressure"], [NAN] * 5)


def test_signs_of_other_intervals_share_a_call(store: Store) -> None:
    quarters = [make_reading(float(i), hours=i / 4, sign="quarter") for i in range(8)]
    store.inbox.append([make_reading(9.0, hours=1), *quarters], 1)
    window = store.readings.window(["quarter", "flow"], START_MS + HOUR_MS, 3)
    assert list(window) == ["quarter", "flow"]
    np.testing.assert_array_equal(window["quarter"], [2, 3, 4])
    np.testing.assert_array_equal(window["flow"], [NAN, NAN, 9])


@pytest.mark.parametrize("bad", [make_reading(7.0, quality=Quality.BAD), make_reading(None)])
def test_a_time_whose_latest_word_is_bad_or_none_is_missing(store: Store, bad: object) -> None:
    store.inbox.append([make_reading(1.0), make_reading(2.0, hours=1)], 1)
    store.inbox.append([bad], 2)  # type: ignore[list-item]
    np.testing.assert_array_equal(store.readings.window(["flow"], START_MS + HOUR_MS, 2)["flow"], [NAN, 2])


def test_a_suspect_value_is_used(store: Store) -> None:
    store.inbox.append([make_reading(1.0, quality=Quality.SUSPECT)], 1)
    assert store.readings.window(["flow"], START_MS, 1)["flow"] == [1.0]


def test_a_window_as_of_then_knows_no_later_revision(store: Store) -> None:
    then = store.inbox.append([make_reading(1.0), make_reading(2.0, hours=1)], 1).last_sequence
    store.inbox.append([make_reading(8.0), make_reading(9.0, hours=2)], 2)
    end_ms = START_MS + 2 * HOUR_MS
    np.testing.assert_array_equal(store.readings.window(["flow"], end_ms, 3, as_of=then)["flow"], [1, 2, NAN])
    np.testing.assert_array_equal(store.readings.window(["flow"], end_ms, 3)["flow"], [8, 2, 9])


def test_a_step_holds_the_last_reading_of_its_interval_and_none_of_the_next(store: Store) -> None:
    store.inbox.append([make_reading(1.0, hours=-0.5), make_reading(2.0, hours=-0.1), make_reading(3.0, hours=0.1)], 1)
    np.testing.assert_array_equal(store.readings.window(["flow"], START_MS, 2)["flow"], [NAN, 2])
    np.testing.assert_array_equal(store.readings.window(["flow"], START_MS + HOUR_MS, 2)["flow"], [2, 3])


def test_an_unknown_sign_is_named(store: Store) -> None:
    for ask in (
        lambda: store.readings.window(["flow", "ghost"], START_MS, 2),
        lambda: store.readings.series("ghost", 0, 1),
        lambda: store.readings.revisions("ghost", 0, 1),
        lambda: store.readings.latest(["ghost"]),
    ):
        with pytest.raises(UnknownSignError, match="ghost"):
            ask()


def test_a_series_has_both_its_ends_and_the_latest_values(store: Store) -> None:
    store.inbox.append([make_reading(float(i), hours=i) for i in range(5)], 1)
    store.inbox.append([make_reading(20.0, hours=2), make_reading(3.0, hours=3, quality=Quality.BAD)], 2)
    series = store.readings.series("flow", START_MS + HOUR_MS, START_MS + 3 * HOUR_MS)
    np.testing.assert_array_equal(series.times_ms, START_MS + HOUR_MS * np.array([1, 2, 3]))
    np.testing.assert_array_equal(series.values, [1, 20, NAN])
    assert len(store.readings.series("pressure", 0, START_MS).times_ms) == 0


def test_the_newest_time_of_each_sign_is_known(store: Store) -> None:
    store.inbox.append([make_reading(1.0), make_reading(2.0, hours=5), make_reading(3.0, sign="quarter")], 1)
    assert store.readings.latest(["flow", "pressure", "quarter"]) == {
        "flow": START_MS + 5 * HOUR_MS,
        "quarter": START_MS,
    }


_told = st.tuples(
    st.integers(0, 40),
    st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)),
    st.sampled_from(Quality),
)


@given(told=st.lists(_told, max_size=30), count=st.integers(1, 12), end=st.integers(0, 44), cut=st.integers(0, 30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_is_what_a_plain_reckoning_gives(
    store: Store, told: list[tuple[int, float | None, Quality]], count: int, end: int, cut: int
) -> None:
    """Readings at quarters of an hour, a sign of one hour: compare with the rule written out step by step."""
    _forget_readings(store)
    base = store.inbox.last_sequence()
    for quarter, value, quality in told:
        store.inbox.append([make_reading(value, hours=quarter / 4, quality=quality)], 1)
    end_ms = START_MS + end * HOUR_MS // 4
    seen = [item for item in store.inbox.read(base, 100) if item.sequence <= base + cut]
    latest = {item.time_ms: item for item in seen}
    expected = []
    for step in range(count):
        time_ms = end_ms - (count - 1 - step) * HOUR_MS
        usable = [
            item
            for item in latest.values()
            if time_ms - HOUR_MS < item.time_ms <= time_ms
            and item.value is not None
            and item.quality is not Quality.BAD
        ]
        expected.append(max(usable, key=lambda item: item.time_ms).value if usable else NAN)
    window = store.readings.window(["flow"], end_ms, count, as_of=base + cut)["flow"]
    np.testing.assert_array_equal(window, np.array(expected, np.float32))


def _forget_readings(store: Store) -> None:
    with store._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM reading")
