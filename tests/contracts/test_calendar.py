from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import CalendarFeature, CalendarSpec, calendar_features, to_ms

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
