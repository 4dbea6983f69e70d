"""The one calendar: features of local time, shared by training and serving, free of torch."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

from .clock import from_ms

DAY_MS = 86_400_000
QUARTER_MS = 900_000
DAYS_PER_WEEK = 7
DAYS_PER_YEAR = 365.25
SATURDAY = 5
EPOCH = date(1970, 1, 1)


class CalendarFeature(StrEnum):
    """One column of the calendar tensor, each within [-1, 1].

    ``workday`` knows weekends that are worked in exchange for a holiday; ``holiday_eve`` and ``holiday_wake`` are the
    days before and after a public holiday.
    """

    HOUR_SIN = "hour_sin"
    HOUR_COS = "hour_cos"
    WEEKDAY_SIN = "weekday_sin"
    WEEKDAY_COS = "weekday_cos"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    WORKDAY = "workday"
    HOLIDAY_EVE = "holiday_eve"
    HOLIDAY_WAKE = "holiday_wake"
    YEAR_SIN = "year_sin"
    YEAR_COS = "year_cos"


_OF_DAY = (
    CalendarFeature.WEEKEND,
    CalendarFeature.HOLIDAY,
    CalendarFeature.WORKDAY,
    CalendarFeature.HOLIDAY_EVE,
    CalendarFeature.HOLIDAY_WAKE,
    CalendarFeature.YEAR_SIN,
    CalendarFeature.YEAR_COS,
)
STANDARD_FEATURES = (
    CalendarFeature.HOUR_SIN,
    CalendarFeature.HOUR_COS,
    CalendarFeature.WEEKDAY_SIN,
    CalendarFeature.WEEKDAY_COS,
    CalendarFeature.WEEKEND,
    CalendarFeature.HOLIDAY,
)


class CalendarSpec(BaseModel):
    """Which calendar a model was fitted on: the release carries it, so that serving makes the same.

    Attributes:
        timezone: IANA name of the local time that people live by.
        country: ISO 3166 code whose public holidays count; None for no holidays.
        features: the columns, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = "Asia/Shanghai"
    country: str | None = "CN"
    features: tuple[CalendarFeature, ...] = STANDARD_FEATURES

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError) as exc:  # ZoneInfoNotFoundError is a KeyError
            message = f"unknown time zone {name!r}; use an IANA name such as 'Asia/Shanghai'"
            raise ValueError(message) from exc
        return name

    @field_validator("country")
    @classmethod
    def _known_country(cls, code: str | None) -> str | None:
        if code is not None and code not in holidays.list_supported_countries():
            message = f"unknown country {code!r}; use an ISO 3166 code such as 'CN', or leave it out"
            raise ValueError(message)
        return code


def calendar_features(times_ms: NDArray[np.int64], spec: CalendarSpec) -> NDArray[np.float32]:
    """Return the calendar tensor of event times.

    Args:
        times_ms: milliseconds UTC, any shape.
        spec: which columns, in which zone.

    Returns:
        Features, shape ``(*times_ms.shape, len(spec.features))``.
    """
    steps, inverse = np.unique(times_ms, return_inverse=True)  # windows overlap: few instants, many cells
    local_ms = steps + _offsets_ms(steps, spec.timezone)
    days, of_day_ms = np.divmod(local_ms, DAY_MS)
    columns = {
        **_waves("hour", of_day_ms / DAY_MS),
        **_waves("weekday", _weekdays(days) / DAYS_PER_WEEK),
        **_day_columns(days, spec),
    }
    table = np.stack([columns[feature] for feature in spec.features], 1) if spec.features else np.empty((len(steps), 0))
    features: NDArray[np.float32] = table.astype(np.float32)[inverse.ravel()]
    return features.reshape(*times_ms.shape, len(spec.features))


def _waves(name: str, share: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    angle = 2 * np.pi * share
    return {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}


def _weekdays(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 for Monday to 6 for Sunday; 1970-01-01 was a Thursday."""
    return (days + 3) % DAYS_PER_WEEK


def _offsets_ms(times_ms: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """Return what is added to UTC for local time; offsets change on the quarter of an hour."""
    quarters, inverse = np.unique(times_ms // QUARTER_MS, return_inverse=True)
    offsets = np.array([_offset_ms(int(quarter), timezone) for quarter in quarters], dtype=np.int64)
    return offsets[inverse]


@lru_cache(maxsize=262_144)
def _offset_ms(quarter: int, timezone: str) -> int:
    offset = from_ms(quarter * QUARTER_MS).astimezone(ZoneInfo(timezone)).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() * 1000)


def _day_columns(days: NDArray[np.int64], spec: CalendarSpec) -> dict[str, NDArray[np.float64]]:
    whole, inverse = np.unique(days, return_inverse=True)
    rows = np.array([_facts_of_day(int(day), spec.country) for day in whole], dtype=np.float64).reshape(
        -1, len(_OF_DAY)
    )
    return dict(zip(_OF_DAY, rows[inverse].T, strict=True))


@lru_cache(maxsize=65_536)
def _facts_of_day(day: int, country: str | None) -> tuple[float, ...]:
    """Return the features that a local day decides, in the order of ``_OF_DAY``."""
    local = EPOCH + timedelta(days=day)
    year_angle = 2 * np.pi * (local.timetuple().tm_yday - 1) / DAYS_PER_YEAR
    return (
        float(local.weekday() >= SATURDAY),
        float(_is_holiday(local, country)),
        float(is_workday(local, country)),
        float(_is_holiday(local + timedelta(days=1), country)),
        float(_is_holiday(local - timedelta(days=1), country)),
        float(np.sin(year_angle)),
        float(np.cos(year_angle)),
    )


def is_workday(day: date, country: str | None) -> bool:
    """Return whether people work on a day: weekends worked in exchange for a holiday (调休) count as workdays.

    Args:
        day: local date.
        country: ISO 3166 code; None knows weekends alone.
    """
    if country is None:
        return day.weekday() < SATURDAY
    return bool(_holidays_of(country).is_working_day(day))


def _is_holiday(day: date, country: str | None) -> bool:
    return country is not None and day in _holidays_of(country)


@lru_cache(maxsize=16)
def _holidays_of(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)
