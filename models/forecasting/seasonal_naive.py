"""Seasonal naive: what was a season ago, with empirical quantiles. The baseline that others must beat."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from contracts import ForecastSpec, ModelError

from .forecaster import Batches, ClosedFormForecaster, Options
from .residuals import ResidualQuantiles
from .scaling import fill_gaps


class SeasonalNaiveOptions(Options):
    """Settings of the seasonal naive forecaster.

    Attributes:
        season: steps of a season, such as 24 for hours of a day.
    """

    season: int = Field(default=24, ge=1)


class SeasonalNaive(ClosedFormForecaster):
    """The value one season before each step; where it is missing, the season before that."""

    family = "seasonal_naive"
    Settings = SeasonalNaiveOptions

    def __init__(self, spec: ForecastSpec, options: SeasonalNaiveOptions) -> None:
        super().__init__(spec, options)
        if options.season > spec.context:
            message = f"A season of {options.season} steps does not fit into a context of {spec.context}. Lengthen it."
            raise ModelError(message)
        self.season = options.season
        self.residuals = ResidualQuantiles(spec)

    def forward(self, context: Tensor, calendar: Tensor | None = None, **_: Tensor | None) -> Tensor:  # noqa: ARG002 - one signature
        """See :meth:`Forecaster.forward`."""
        return self.residuals(self._point(context))

    def solve(self, train: Batches, validation: Batches) -> None:
        """Take the quantiles of the errors on both windows."""
        errors = [batch.target - self._point(batch.context) for batches in (train, validation) for batch in batches]
        self.residuals.fit(torch.cat(errors))

    def _point(self, context: Tensor) -> Tensor:
        last_season = fill_gaps(context, self.season)[:, -self.season :]
        repeats = -(-self.spec.horizon // self.season)
        return last_season.repeat(1, repeats)[:, : self.spec.horizon]
