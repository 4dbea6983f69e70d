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
        features = spec.calendar.features if spec.calendar is not None else ()
        wanted = (CalendarFeature.HOUR_COS, CalendarFeature.HOUR_SIN)
        if order and not set(wanted) <= set(features):
            names = [str(name) for name in wanted]
            message = f"hour_harmonics {order} needs a calendar with {names}. Add [forecast.calendar]."
            raise ModelError(message)
        self.order = order
        self.step = spec.context
        self.columns = tuple(features.index(name) for name in wanted) if order else ()

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
        cosine, sine = (calendar[:, self.step, column] for column in self.columns)
        waves = [(cosine, sine)]
        for _ in range(self.order - 1):
            c, s = waves[-1]
            waves.append((c * cosine - s * sine, s * cosine + c * sine))
        return torch.stack([part for wave in waves for part in wave], 1)


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
