from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import DataError, format_utc, from_ms, parse_utc, to_ms

MILLISECONDS = st.integers(min_value=0, max_value=4_000_000_000_000)


@given(MILLISECONDS)
def test_milliseconds_survive_the_round_trip(time_ms: int):
    assert to_ms(from_ms(time_ms)) == time_ms
    assert to_ms(parse_utc(format_utc(time_ms))) == time_ms


@given(MILLISECONDS, st.integers(min_value=-14, max_value=14))
def test_an_offset_does_not_move_the_moment(time_ms: int, hours: int):
    local = from_ms(time_ms).astimezone(timezone(timedelta(hours=hours)))
    assert to_ms(local) == time_ms


def test_a_time_without_offset_is_refused():
    with pytest.raises(DataError, match="no UTC offset"):
        to_ms(datetime(2022, 4, 27, 13))


def test_a_text_that_is_no_time_is_refused():
    with pytest.raises(DataError, match="not an ISO 8601 time"):
        parse_utc("yesterday")


def test_utc_is_written_with_z():
    assert format_utc(to_ms(datetime(2022, 4, 27, 13, tzinfo=UTC))) == "2022-04-27T13:00:00Z"
