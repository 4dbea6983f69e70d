from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import CalendarFeature, CalendarSpec, calendar_features, is_workday, to_ms

SHANGHAI = CalendarSpec(timezone="Asia/Shanghai", country="CN")


def row(time: datetime, spec: CalendarSpec = SHANGHAI) -> dict[CalendarFeature, float]:
    values = calendar_features(np.array([to_ms(time)]), spec)[0]
    return dict(zip(spec.features, values.tolist(), strict=True))


@given(st.lists(st.integers(min_value=0, max_value=4_000_000_000_000), min_size=1, max_size=20))
def test_features_stay_within_one(times: list[int]):
    features = calendar_features(np.array(times), SHANGHAI)
    assert features.shape == (len(times), len(SHANGHAI.features))
    assert features.dtype == np.float32
    assert np.abs(features).max() <= 1


def test_hours_are_local():
    midnight_in_shanghai = row(datetime(2026, 3, 2, 16, tzinfo=UTC))
    assert midnight_in_shanghai[CalendarFeature.HOUR_COS] == 1


def test_a_change_of_offset_moves_the_hour():
    rome = CalendarSpec(timezone="Europe/Rome", country="IT")
    before, after = (row(datetime(2022, 3, day, 11, tzinfo=UTC), rome) for day in (26, 27))
    assert before[CalendarFeature.HOUR_COS] == pytest.approx(-1)
    assert after[CalendarFeature.HOUR_COS] == pytest.approx(np.cos(2 * np.pi * 13 / 24), abs=1e-6)


def test_national_day_is_a_holiday():
    assert row(datetime(2025, 10, 1, 4, tzinfo=UTC))[CalendarFeature.HOLIDAY] == 1
    assert row(datetime(2025, 9, 3, 4, tzinfo=UTC))[CalendarFeature.HOLIDAY] == 0


def test_unknown_zone_and_country_are_refused():
    with pytest.raises(ValidationError, match="unknown time zone 'Mars/Olympus'"):
        CalendarSpec(timezone="Mars/Olympus")
    with pytest.raises(ValidationError, match="unknown country 'XX'"):
        CalendarSpec(country="XX")


DAYS = CalendarSpec(
    features=(
        CalendarFeature.WORKDAY,
        CalendarFeature.HOLIDAY,
        CalendarFeature.HOLIDAY_EVE,
        CalendarFeature.HOLIDAY_WAKE,
        CalendarFeature.WEEKEND,
    )
)


def test_a_weekend_that_is_worked_for_a_holiday_is_a_workday():
    assert is_workday(date(2025, 1, 26), "CN")  # a Sunday, worked before Spring Festival
    assert not is_workday(date(2025, 1, 26), None)
    assert not is_workday(date(2025, 1, 29), "CN")
    worked = row(datetime(2025, 1, 26, 4, tzinfo=UTC), DAYS)
    assert (worked[CalendarFeature.WORKDAY], worked[CalendarFeature.WEEKEND]) == (1, 1)


def test_the_days_around_a_holiday_are_known():
    eve, first, wake = (
        row(datetime(2025, month, day, 4, tzinfo=UTC), DAYS) for month, day in ((9, 30), (10, 1), (10, 9))
    )
    assert (eve[CalendarFeature.HOLIDAY_EVE], eve[CalendarFeature.HOLIDAY]) == (1, 0)
    assert (first[CalendarFeature.HOLIDAY], first[CalendarFeature.WORKDAY]) == (1, 0)
    assert (wake[CalendarFeature.HOLIDAY_WAKE], wake[CalendarFeature.WORKDAY]) == (1, 1)


def test_minutes_move_the_hour():
    noon, half_past = (row(datetime(2026, 3, 2, 4, minute, tzinfo=UTC)) for minute in (0, 30))
    assert noon[CalendarFeature.HOUR_COS] == pytest.approx(-1)
    assert half_past[CalendarFeature.HOUR_COS] == pytest.approx(np.cos(2 * np.pi * 12.5 / 24), abs=1e-6)
