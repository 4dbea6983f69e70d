"""Replay: steps of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityforge.replaying import plan_steps
from contracts import DataError, Reading, from_ms, to_ms

START = datetime(2022, 4, 20, tzinfo=UTC)
HOUR_S = 3600


def reading(minutes: float, sign: str = "a") -> Reading:
    return Reading(sign=sign, time=START + timedelta(minutes=minutes), value=1.0)


def test_a_silent_hour_still_has_its_step() -> None:
    steps = plan_steps([reading(0), reading(180)], step_s=HOUR_S)
    assert [len(step.readings) for step in steps] == [1, 0, 0, 1]
    assert [from_ms(step.time_ms) for step in steps] == [START + timedelta(hours=h) for h in range(4)]


def test_a_reading_between_two_steps_belongs_to_the_later_one() -> None:
    (first, second) = plan_steps([reading(0), reading(1)], step_s=HOUR_S)
    assert (len(first.readings), len(second.readings)) == (1, 1)


def test_the_span_holds_its_beginning_and_not_its_end() -> None:
    readings = [reading(60 * hour) for hour in range(10)]
    steps = plan_steps(readings, step_s=HOUR_S, since=START + timedelta(hours=2), until=START + timedelta(hours=5))
    assert [one.time for step in steps for one in step.readings] == [START + timedelta(hours=h) for h in (2, 3, 4)]
    assert len(steps) == 3


def test_the_span_may_reach_beyond_the_readings() -> None:
    steps = plan_steps([reading(60)], step_s=HOUR_S, since=START, until=START + timedelta(hours=4))
    assert [len(step.readings) for step in steps] == [0, 1, 0, 0]


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(DataError, match="No reading lies from 2023"):
        plan_steps([reading(0)], step_s=HOUR_S, since=datetime(2023, 1, 1, tzinfo=UTC))


@settings(deadline=None)
@given(st.lists(st.integers(0, 2_000), min_size=1, unique=True), st.integers(60, 7_200))
def test_every_reading_is_posted_once_before_its_tick(minutes: list[int], step_s: int) -> None:
    readings = [reading(minute) for minute in minutes]
    steps = plan_steps(readings, step_s=step_s)
    posted = [one for step in steps for one in step.readings]
    assert posted == sorted(readings, key=lambda one: one.time)
    for step in steps:
        assert all(step.time_ms - step_s * 1000 < to_ms(one.time) <= step.time_ms for one in step.readings)
