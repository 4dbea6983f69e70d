"""Readings: (sign, event time, value, quality). Missing is missing, never zero."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from .clock import UtcTime
from .places import IDENTIFIER


class Quality(StrEnum):
    """What the source says of its own value."""

    GOOD = "good"
    SUSPECT = "suspect"
    BAD = "bad"


class Reading(BaseModel):
    """One reading of one sign.

    The same sign and time with another value is a revision; both are kept.

    Attributes:
        sign: id of the sign.
        time: event time, UTC.
        value: value in the sign's unit; None when the source said "no value".
        quality: what the source says of the value; a bad value never reaches a model or a rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sign: str = Field(pattern=IDENTIFIER)
    time: UtcTime
    value: float | None = Field(allow_inf_nan=False)
    quality: Quality = Quality.GOOD
