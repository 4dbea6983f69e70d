"""Event time: aware UTC datetimes at the edges, integer milliseconds inside.

Not a source of the current time: whoever needs "now" is handed it, so that a replay gives the
same episodes as the day itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from .errors import DataError

MILLISECONDS_PER_S = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_utc(time: datetime) -> datetime:
    """Return an aware time in UTC.

    Raises:
        DataError: if the time carries no UTC offset.
    """
    if time.utcoffset() is None:
        message = f"The time {time.isoformat()!r} has no UTC offset. Write it with one, such as '2022-04-27T13:00:00Z'."
        raise DataError(message)
    return time.astimezone(UTC)


def to_ms(time: datetime) -> int:
    """Return milliseconds since 1970-01-01 UTC (exact; floors sub-millisecond parts)."""
    return (to_utc(time) - _EPOCH) // _MILLISECOND


def from_ms(time_ms: int) -> datetime:
    """Return the aware UTC datetime of milliseconds since 1970-01-01 UTC."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def parse_utc(text: str) -> datetime:
    """Read an ISO 8601 time with an offset.

    Raises:
        DataError: if the text is no ISO 8601 time or has no UTC offset.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        message = f"{text!r} is not an ISO 8601 time. Write it like '2022-04-27T13:00:00Z'."
        raise DataError(message) from exc
    return to_utc(time)


def format_utc(time_ms: int) -> str:
    """Return ISO 8601 in UTC with ``Z``, seconds precision unless milliseconds are set."""
    spec = "milliseconds" if time_ms % MILLISECONDS_PER_S else "seconds"
    return from_ms(time_ms).isoformat(timespec=spec).replace("+00:00", "Z")


UtcTime = Annotated[AwareDatetime, AfterValidator(to_utc)]
"""A pydantic field type: an aware datetime, converted to UTC."""
