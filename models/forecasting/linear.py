"""NLinear and DLinear with quantiles: one linear layer from window to horizon, fitted by pinball loss.

Zeng et al., 2023, "Are Transformers Effective for Time Series Forecasting?" NLinear subtracts the last reading;
DLinear splits the window into a moving average and the rest.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from contracts import ForecastSpec

from .forecaster import GradientForecaster, Options
from .harmonics import DailyProfile
from .normalisation import WindowNormaliser, order_quantiles


class LinearOptions(Options):
    """Settings of the linear families.

    Attributes:
        season: steps of a season, for filling gaps; None when there is none.
        guard: readings further than this many robust standard deviations from the window's median count as missing.
        hour_harmonics: order of a daily profile of the local hour; needs a calendar. 0 leaves it out.
        kernel: steps of DLinear's moving average; odd.
    """

    season: int | None = Field(default=None, ge=1)
    guard: float | None = Field(default=None, gt=0)
    hour_harmonics: int = Field(default=0, ge=0, le=12)
    kernel: int = Field(default=25, ge=1)


class NLinear(GradientForecaster):
    """A linear layer on the window less its last reading."""

    family = "nlinear"
    Settings = LinearOptions

    def __init__(self, spec: ForecastSpec, options: LinearOptions) -> None:
        super().__init__(spec, options)
        self.normalise = WindowNormaliser(options.season, options.guard)
        self.map = nn.Linear(spec.context, spec.horizon * len(spec.quantiles))
        self.profile = DailyProfile(spec, options.hour_harmonics)
        nn.init.constant_(self.map.weight, 1 / spec.context)
        nn.init.zeros_(self.map.bias)

    def forward(self, context: Tensor, calendar: Tensor | None = None, **_: Tensor | None) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        readings, mean, scale = self.normalise(context)
        last = readings[:, -1:]
        quantiles = self.map(readings - last) + last  # (batch, horizon * quantile)
        quantiles = quantiles + self.profile(context, calendar)
        return order_quantiles(quantiles, mean, scale, self.spec)


class DLinear(GradientForecaster):
    """Two linear layers: one on the moving average, one on what is left."""

    family = "dlinear"
    Settings = LinearOptions

    def __init__(self, spec: ForecastSpec, options: LinearOptions) -> None:
        super().__init__(spec, options)
        self.normalise = WindowNormaliser(options.season, options.guard)
        self.padding = options.kernel // 2
        self.average = nn.AvgPool1d(2 * self.padding + 1, stride=1)
        outputs = spec.horizon * len(spec.quantiles)
        self.trend, self.rest = nn.Linear(spec.context, outputs), nn.Linear(spec.context, outputs)
        for layer in (self.trend, self.rest):
            nn.init.constant_(layer.weight, 1 / spec.context)
            nn.init.zeros_(layer.bias)
        self.profile = DailyProfile(spec, options.hour_harmonics)

    def forward(self, context: Tensor, calendar: Tensor | None = None, **_: Tensor | None) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        readings, mean, scale = self.normalise(context)
        head = readings[:, :1].expand(-1, self.padding)
        tail = readings[:, -1:].expand(-1, self.padding)
        trend = self.average(torch.cat([head, readings, tail], 1)[:, None])[:, 0]  # (batch, time)
        quantiles = self.trend(trend) + self.rest(readings - trend) + self.profile(context, calendar)
        return order_quantiles(quantiles, mean, scale, self.spec)
