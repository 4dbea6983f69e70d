"""The frame around every neural body: normalising, covariates, ordered quantiles, and the loss.

A family derives from :class:`NeuralForecaster` and gives the body alone: from normalised readings to the normalised
quantiles of each step.
"""

from __future__ import annotations

from enum import StrEnum

import torch
from pydantic import Field
from torch import Tensor, nn

from contracts import ForecastSpec, ModelError

from .covariates import CovariateProfile
from .forecaster import Batch, Batches, GradientForecaster, Options
from .harmonics import DailyProfile
from .losses import LossUnit, loss_unit, pinball_loss
from .priors import seasonal_prior
from .scaling import fill_if_any, mask_outliers, window_mean, window_scale

_LEAST_LOG_SHARE = 1e-3
_LEAST_LOG_SCALE = 1e-2


class Scaling(StrEnum):
    """What a window's readings are divided by, after its mean is removed."""

    SPREAD = "spread"
    """Its standard deviation (Kim et al., 2022, RevIN)."""
    LEVEL = "level"
    """Its mean absolute reading, so that a calm window stays calm."""
    LOG = "log"
    """Logarithms are taken first, then the spread; for quantities that are positive and vary in proportion."""


class NeuralOptions(Options):
    """Settings of every neural family.

    Attributes:
        season: steps of a season, for filling gaps and for seasonal loss units; None when there is none.
        guard: readings further than this many robust standard deviations from the window's median count as missing.
        scaling: what a window is divided by.
        losses: weight of each unit that errors are counted in.
        prior_seasons: the linear path starts as the mean of the readings one of each of these seasons ago, so that
            fitting starts from a sensible forecast; empty starts from the window's mean.
        hour_harmonics: order of a daily profile of the local hour; needs a calendar. 0 leaves it out.
        covariate_width: hidden units of the network on calendar and covariates; 0 leaves them out.
    """

    season: int | None = Field(default=None, ge=1)
    guard: float | None = Field(default=None, gt=0)
    scaling: Scaling = Scaling.SPREAD
    losses: dict[LossUnit, float] = Field(default_factory=lambda: {LossUnit.SPREAD: 1.0}, min_length=1)
    prior_seasons: tuple[int, ...] = ()
    hour_harmonics: int = Field(default=0, ge=0, le=12)
    covariate_width: int = Field(default=0, ge=0)


class Normaliser(nn.Module):
    """Into and out of a window's own units.

    Args:
        season: steps of a season, for filling gaps.
        guard: see :func:`mask_outliers`; None leaves every reading in.
        scaling: what the window is divided by.
    """

    def __init__(self, season: int | None, guard: float | None, scaling: Scaling) -> None:
        super().__init__()
        self.season, self.guard, self.scaling = season, guard, scaling

    def forward(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return readings ``(batch, time)`` in normalised units, mean ``(batch, 1)`` and unit ``(batch, 1)``."""
        filled = self._fill(context)
        if self.scaling is Scaling.LOG:
            least = _LEAST_LOG_SHARE * window_mean(filled.abs()) + torch.finfo(filled.dtype).tiny
            filled = torch.maximum(filled, least).log()
            return self._split(filled, window_scale(filled) + _LEAST_LOG_SCALE)
        if self.scaling is Scaling.LEVEL:
            return self._split(filled, torch.maximum(window_mean(filled.abs()), window_scale(filled)))
        return self._split(filled, window_scale(filled))

    def _fill(self, context: Tensor) -> Tensor:
        guarded = context if self.guard is None else mask_outliers(context, self.guard)
        return fill_if_any(guarded, self.season, fitting=self.training)

    def restore(self, values: Tensor, mean: Tensor, unit: Tensor) -> Tensor:
        """Return values ``(batch, horizon, quantile)`` in raw units."""
        raw = values * unit[:, :, None] + mean[:, :, None]
        return raw.exp() if self.scaling is Scaling.LOG else raw

    @staticmethod
    def _split(filled: Tensor, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = window_mean(filled)
        return (filled - mean) / unit, mean, unit


class NeuralForecaster(GradientForecaster):
    """Normalises, asks the body, adds the profiles, orders the quantiles (Chernozhukov et al., 2010)."""

    Settings = NeuralOptions
    takes_covariates = True

    def __init__(self, spec: ForecastSpec, options: NeuralOptions) -> None:
        super().__init__(spec, options)
        _check_seasons(spec, options)
        self.settings = options
        self.normalise = Normaliser(options.season, options.guard, options.scaling)
        self.profile = DailyProfile(spec, options.hour_harmonics)
        self.covariates = CovariateProfile(spec, options.covariate_width)

    def body(self, readings: Tensor) -> Tensor:
        """Return normalised quantiles, shape ``(batch, horizon * quantile)``.

        Args:
            readings: shape ``(batch, time)``, normalised units, no gaps.
        """
        raise NotImplementedError

    def forward(
        self,
        context: Tensor,
        calendar: Tensor | None = None,
        *,
        known: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        readings, mean, unit = self.normalise(context)
        flat = self.body(readings) + self.profile(context, calendar)
        quantiles = flat.reshape(-1, self.spec.horizon, len(self.spec.quantiles))  # (batch, horizon, quantile)
        quantiles = quantiles + self.covariates(calendar, known, static)
        return self.normalise.restore(quantiles.sort(2).values, mean, unit)

    def prepare(self, train: Batches) -> None:
        """See :meth:`GradientForecaster.prepare`."""
        if self.covariates.width and (self.spec.known or self.spec.static):
            self.covariates.measure(train)

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted sum of the mean pinball losses in each of the chosen units."""
        quantiles = self(**batch.inputs)
        median = quantiles[:, :, self.spec.quantiles.index(0.5)]
        total = quantiles.new_zeros(())
        for name, weight in self.settings.losses.items():
            unit = loss_unit(name, batch.context, median, batch.target, self.settings.season)
            total = total + weight * pinball_loss(quantiles / unit[:, :, None], batch.target / unit, self.levels)
        return total

    def linear_path(self) -> nn.Linear:
        """Return a linear layer from readings to quantiles that starts as the prior forecast."""
        layer = nn.Linear(self.spec.context, self.spec.horizon * len(self.spec.quantiles))
        prior = torch.zeros(self.spec.context, self.spec.horizon)
        for season in self.settings.prior_seasons:
            prior += seasonal_prior(self.spec.context, self.spec.horizon, season, 1).float()
        prior /= max(len(self.settings.prior_seasons), 1)
        with torch.no_grad():
            layer.weight.copy_(prior.T.repeat_interleave(len(self.spec.quantiles), 0))
            layer.bias.zero_()
        return layer


def _check_seasons(spec: ForecastSpec, options: NeuralOptions) -> None:
    longest = max((*options.prior_seasons, options.season or 1))
    if longest > spec.context or min(options.prior_seasons, default=1) < 1:
        message = f"Seasons of {options.prior_seasons} and {options.season} must lie within the context {spec.context}."
        raise ModelError(message)
