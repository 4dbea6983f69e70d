"""The one calendar: features of local time, shared by training and serving, free of torch."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

from .clock import from_ms

HOURS_PER_DAY = 24
DAYS_PER_WEEK = 7
SATURDAY = 5


class CalendarFeature(StrEnum):
    """One column of the calendar tensor, each within [-1, 1]."""

    HOUR_SIN = "hour_sin"
    HOUR_COS = "hour_cos"
    WEEKDAY_SIN = "weekday_sin"
    WEEKDAY_COS = "weekday_cos"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


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
    features: tuple[CalendarFeature, ...] = tuple(CalendarFeature)

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
    rows = [_features_of_hour(int(time_ms) // 3_600_000, spec) for time_ms in times_ms.ravel()]
    table = np.asarray(rows, dtype=np.float32).reshape(-1, len(spec.features))
    return table.reshape(*times_ms.shape, len(spec.features))


@lru_cache(maxsize=65_536)
def _features_of_hour(hour: int, spec: CalendarSpec) -> tuple[float, ...]:
    local = from_ms(hour * 3_600_000).astimezone(ZoneInfo(spec.timezone))
    hour_angle = 2 * np.pi * (local.hour + local.minute / 60) / HOURS_PER_DAY
    weekday_angle = 2 * np.pi * local.weekday() / DAYS_PER_WEEK
    values = {
        CalendarFeature.HOUR_SIN: np.sin(hour_angle),
        CalendarFeature.HOUR_COS: np.cos(hour_angle),
        CalendarFeature.WEEKDAY_SIN: np.sin(weekday_angle),
        CalendarFeature.WEEKDAY_COS: np.cos(weekday_angle),
        CalendarFeature.WEEKEND: float(local.weekday() >= SATURDAY),
        CalendarFeature.HOLIDAY: float(_is_holiday(local.date(), spec.country)),
    }
    return tuple(float(values[feature]) for feature in spec.features)


def _is_holiday(day: date, country: str | None) -> bool:
    return country is not None and day in _holidays_of(country)


@lru_cache(maxsize=16)
def _holidays_of(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)
