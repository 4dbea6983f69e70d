"""Forecasts: quantiles of the coming hours, in raw units."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .calendar import CalendarSpec


def _check_levels(levels: tuple[float, ...]) -> tuple[float, ...]:
    ordered = all(low < high for low, high in itertools.pairwise(levels))
    if not levels or not ordered or levels[0] <= 0 or levels[-1] >= 1 or 0.5 not in levels:  # noqa: PLR2004
        message = f"quantiles must increase within (0, 1) and hold 0.5, were {levels}"
        raise ValueError(message)
    return levels


QuantileLevels = Annotated[tuple[float, ...], AfterValidator(_check_levels)]
"""A pydantic field type: probabilities that increase within (0, 1), the median among them."""


class ForecastSpec(BaseModel):
    """What a released forecaster needs to be asked: carried by its manifest.

    Attributes:
        context: readings of the past that it takes (time axis).
        horizon: steps that it forecasts.
        interval_s: seconds between steps.
        quantiles: probabilities of its quantile axis, increasing, with .5 among them.
        unit: unit of inputs and outputs.
        calendar: the calendar tensor it takes, or None when it takes none; the tensor covers
            context and horizon.
        minimum_observed: fewest finite readings in the context with which it may be asked.
        known: names of covariates that are known for context and horizon, such as a planned closure.
        static: names of covariates that do not change with time, such as the width of a road.
        series: how many series of one network it takes at once, in a fixed order; None for one series at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    context: int = Field(gt=0, le=100_000)
    horizon: int = Field(gt=0, le=10_000)
    interval_s: int = Field(gt=0)
    quantiles: QuantileLevels
    unit: str = ""
    calendar: CalendarSpec | None = None
    minimum_observed: int = Field(default=1, ge=1)
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    series: int | None = Field(default=None, ge=1)

    @property
    def takes_readings_alone(self) -> bool:
        """Whether one sign's readings and the calendar are all it takes: no covariates, no network."""
        return not self.known and not self.static and self.series is None


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Quantiles of one sign's coming steps.

    Attributes:
        sign: id of the sign.
        origin_ms: event time of the last step of the context; step h is at
            ``origin_ms + (h + 1) * interval_s * 1000``.
        interval_s: seconds between steps.
        quantiles: probabilities, increasing.
        values: shape ``(horizon, quantile)``, raw units, non-decreasing along quantile.
        model: name of the model that made it.
        version: version of the model.
    """

    sign: str
    origin_ms: int
    interval_s: int
    quantiles: tuple[float, ...]
    values: NDArray[np.float32]
    model: str = ""
    version: int = 0

    @property
    def median(self) -> NDArray[np.float32]:
        """The median of each step, shape ``(horizon,)``."""
        return self.values[:, self.quantiles.index(0.5)]

    def times_ms(self) -> NDArray[np.int64]:
        """Event times of the steps, shape ``(horizon,)``."""
        steps = np.arange(1, self.values.shape[0] + 1, dtype=np.int64)
        return self.origin_ms + steps * self.interval_s * 1000
