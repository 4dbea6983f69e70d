"""Seasonal adjustment around any family: the season is taken off the window, the member forecasts what is left.

The season is the mean deviation of each phase from a centred moving average over one season, found in the window itself
(the classical additive decomposition), so that a graph adjusts each sign by its own season.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from contracts import ForecastSpec, ModelError

from .composite import CompositeForecaster, CompositeOptions
from .forecaster import Batch, Forecaster
from .scaling import fill_gaps


class SeasonalAdjustmentOptions(CompositeOptions):
    """Settings of the seasonal adjustment.

    Attributes:
        season: steps of a season.
        strength: share of the season that is taken off and put back; the member forecasts the rest.
    """

    season: int = Field(default=24, ge=2)
    strength: float = Field(default=1.0, gt=0, le=1)


class SeasonallyAdjusted(CompositeForecaster):
    """One member on the seasonally adjusted window."""

    family = "seasonally_adjusted"
    Settings = SeasonalAdjustmentOptions

    def __init__(self, spec: ForecastSpec, options: SeasonalAdjustmentOptions, members: Sequence[Forecaster]) -> None:
        super().__init__(spec, options, members)
        if spec.context < 2 * options.season:
            message = f"A context of {spec.context} holds no two seasons of {options.season} steps. Lengthen it."
            raise ModelError(message)
        if len(members) != 1:
            message = f"Seasonal adjustment takes one member, given {len(members)}. Put them into an ensemble."
            raise ModelError(message)
        self.settings = options

    def forward(
        self,
        context: Tensor,
        calendar: Tensor | None = None,
        *,
        known: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        past, coming = self._season(context)
        adjusted = self.members[0](context - past, calendar, known=known, static=static)
        return adjusted + coming[:, :, None]

    def adapt(self, batch: Batch) -> Batch:
        """Take the season off context and target."""
        past, coming = self._season(batch.context)
        return replace(batch, context=batch.context - past, target=batch.target - coming)

    def _season(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return the season over the context ``(batch, time)`` and over the horizon ``(batch, horizon)``."""
        season = self.settings.season
        whole = self.spec.context // season * season
        filled = fill_gaps(context, season)[:, -whole:]
        before, after = season // 2, season - 1 - season // 2
        padded = functional.pad(filled[:, None], (before, after), mode="replicate")
        trend = functional.avg_pool1d(padded, season, stride=1)[:, 0]  # (batch, time)
        phases = (filled - trend).reshape(-1, whole // season, season)  # (batch, season number, phase)
        profile = self.settings.strength * (phases.mean(1) - phases.mean((1, 2))[:, None])
        repeats = -(-(self.spec.context + self.spec.horizon) // season) + 1
        endless = profile.repeat(1, repeats)  # the first step of the horizon has phase 0
        lead = -self.spec.context % season
        spread = endless[:, lead : lead + self.spec.context + self.spec.horizon]
        return torch.split(spread, [self.spec.context, self.spec.horizon], 1)
