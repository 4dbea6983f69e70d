from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contracts import Domain, Sign, Text
from early_warning.history import History
from early_warning.watermarks import Watermarks

from .worlds import OTHER, PUMP, configure_world

HOUR = 3_600_000
READINGS = st.lists(st.tuples(st.integers(0, 40 * 60), st.integers(0, 99)), unique_by=lambda pair: pair[0], max_size=40)


def filled(readings: list[tuple[int, int]], capacity: int = 100) -> History:
    history = History(HOUR, capacity)
    for minute, value in readings:
        history.put(minute * 60_000, float(value))
    return history


@given(READINGS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(readings: list[tuple[int, int]], shuffle: random.Random) -> None:
    mixed = list(readings)
    shuffle.shuffle(mixed)
    np.testing.assert_array_equal(filled(readings).window(40, 41), filled(mixed).window(40, 41))


@given(READINGS)
def test_a_step_holds_the_last_reading_of_its_interval(readings: list[tuple[int, int]]) -> None:
    history = filled(readings)
    for step in range(41):
        within = [(minute, value) for minute, value in readings if (step - 1) * 60 < minute <= step * 60]
        assert history.get(step) == (float(max(within)[1]) if within else None)


@given(READINGS)
def test_it_survives_json(readings: list[tuple[int, int]]) -> None:
    history = filled(readings)
    history.masked = {3, 5}
    back = History.from_json(HOUR, 100, json.loads(json.dumps(history.to_json())))
    assert back == history


def test_a_bad_revision_takes_its_value_back() -> None:
    history = filled([(60, 7)])
    history.put(59 * 60_000, None)
    assert history.get(1) == 7
    history.put(60 * 60_000, None)
    assert history.get(1) is None


def test_a_reading_far_ahead_or_far_back_costs_no_memory() -> None:
    history = filled([(60, 1), (120, 2)], capacity=10)
    history.put(10**9 * HOUR, 3.0)
    assert len(history.values) <= 10
    history.put(HOUR, 4.0)
    assert len(history.values) <= 10
    assert history.get(1) is None
    assert history.get(10**9) == 3.0


def test_masked_steps_are_not_shown() -> None:
    history = filled([(60, 1), (120, 2)])
    history.masked.add(1)
    assert np.isnan(history.window(2, 3)[:2]).all()
    assert history.window(2, 1).tolist() == [2.0]


def test_an_instant_waits_for_every_sign_that_was_heard(tmp_path: Path) -> None:
    signs = {sign.id: sign for sign in configure_world(tmp_path).signs}
    marks = Watermarks(signs)
    assert marks.due() == ()
    marks.hear(signs[PUMP], 5 * HOUR)
    marks.hear(signs[OTHER], 5 * HOUR)
    assert marks.due() == (5 * HOUR,)
    marks.decide(5 * HOUR)
    marks.hear(signs[PUMP], 6 * HOUR)
    assert marks.due() == ()
    marks.tick(6 * HOUR)
    assert marks.due() == (6 * HOUR,)
    marks.decide(6 * HOUR)
    marks.hear(signs[PUMP], 10 * HOUR)  # the other has been silent for its three intervals: it holds back no longer
    assert marks.due() == (7 * HOUR,)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400), st.booleans()), max_size=60),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(1, 4)), min_size=6, max_size=6),
)
def test_the_watermark_is_the_least_of_all_signs(
    heard: list[tuple[int, int, bool]], kinds: list[tuple[int, int, int]]
) -> None:
    signs = {
        f"s{k}": Sign(
            id=f"s{k}",
            title=Text(zh="泵", en="pump"),
            place="city",
            unit="1",
            interval_s=interval,
            source="pumps",
            domain=Domain.LIVELIHOOD,
            lateness_s=lateness,
            stale_after_s=blind,
        )
        for k, (interval, lateness, blind) in enumerate(kinds)
    }
    marks, newest, clock_ms = Watermarks(signs), {}, None
    for number, time_s, ticks in heard:
        if ticks:
            marks.tick(time_s * 1000)
            clock_ms = max(clock_ms or 0, time_s * 1000)
        else:
            marks.hear(signs[f"s{number}"], time_s * 1000)
            newest[f"s{number}"] = max(time_s * 1000, newest.get(f"s{number}", 0))
        least = [
            max(time_ms, max(newest.values()) - 1000 * signs[name].blind_after_s, clock_ms or 0)
            - 1000 * signs[name].lateness_s
            for name, time_ms in newest.items()
        ]
        assert marks.passed_ms() == min(least, default=None)
