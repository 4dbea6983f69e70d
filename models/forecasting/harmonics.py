"""The hour of the day as harmonics, from the calendar tensor: a smooth daily profile with few coefficients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts import CalendarFeature, ForecastSpec, ModelError


class HourHarmonics(nn.Module):
    """Sines and cosines of the local hour of the first forecast step, up to an order.

    Args:
        spec: its calendar must hold ``hour_sin`` and ``hour_cos`` when the order is above zero.
        order: number of harmonics; 0 gives no features.

    Raises:
        ModelError: if the calendar is missing or lacks the hour.
    """

    def __init__(self, spec: ForecastSpec, order: int) -> None:
        super().__init__()
        self.order = order
        self.step = spec.context
        self.columns = _hour_columns(spec, order)

    @property
    def width(self) -> int:
        """Number of features."""
        return 2 * self.order

    def forward(self, context: Tensor, calendar: Tensor | None) -> Tensor:
        """Return features ``(batch, 2 * order)``, by the angle sum formula from the first harmonic.

        Args:
            context: shape ``(batch, time)``; gives the batch when there are no features.
            calendar: shape ``(batch, context + horizon, feature)``.
        """
        if not self.order or calendar is None:
            return context[:, :0]
        return torch.stack(_waves([calendar[:, self.step, column] for column in self.columns], self.order), 1)


class DailyProfile(nn.Module):
    """A learnt daily profile for each step and quantile, in units of the window's spread; zero before fitting.

    Args:
        spec: horizon, quantiles and calendar.
        order: number of harmonics; 0 gives a profile of zero.
    """

    def __init__(self, spec: ForecastSpec, order: int) -> None:
        super().__init__()
        self.harmonics = HourHarmonics(spec, order)
        self.weight = nn.Parameter(torch.zeros(self.harmonics.width, spec.horizon * len(spec.quantiles)))

    def forward(self, context: Tensor, calendar: Tensor | None) -> Tensor:
        """Return the profile, shape ``(batch, horizon * quantile)``."""
        return self.harmonics(context, calendar) @ self.weight


class StepHarmonics(nn.Module):
    """A one, then cosines and sines of the local hour of every step of window and horizon, up to an order.

    Args:
        spec: its calendar must hold ``hour_sin`` and ``hour_cos`` when the order is above zero.
        order: number of harmonics; 0 gives the one alone.

    Raises:
        ModelError: if the calendar is missing or lacks the hour.
    """

    def __init__(self, spec: ForecastSpec, order: int) -> None:
        super().__init__()
        self.span = spec.context + spec.horizon
        self.order = order
        self.columns = _hour_columns(spec, order)

    def forward(self, context: Tensor, calendar: Tensor | None) -> Tensor:
        """Return features ``(batch, context + horizon, 1 + 2 * order)``."""
        if not self.order or calendar is None:
            return torch.ones_like(context[:, :1, :1]).expand(-1, self.span, -1)
        waves = _waves([calendar[:, :, column] for column in self.columns], self.order)
        return torch.stack([torch.ones_like(waves[0]), *waves], 2)


def _hour_columns(spec: ForecastSpec, order: int) -> tuple[int, ...]:
    features = spec.calendar.features if spec.calendar is not None else ()
    wanted = (CalendarFeature.HOUR_COS, CalendarFeature.HOUR_SIN)
    if order and not set(wanted) <= set(features):
        names = [str(name) for name in wanted]
        message = f"hour_harmonics {order} needs a calendar with {names}. Add [forecast.calendar]."
        raise ModelError(message)
    return tuple(features.index(name) for name in wanted) if order else ()


def _waves(first: list[Tensor], order: int) -> list[Tensor]:
    """Return cosine and sine of each multiple of an angle from its own, by the angle sum formula."""
    cosine, sine = first
    waves = [cosine, sine]
    for _ in range(order - 1):
        c, s = waves[-2:]
        waves += [c * cosine - s * sine, s * cosine + c * sine]
    return waves
