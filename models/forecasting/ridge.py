"""Ridge regression in closed form: from the window to every step of the horizon at once.

The window's mean is removed from readings and targets, as in reversible instance normalisation (Kim et al., 2022,
"Reversible Instance Normalization for Accurate Time-Series Forecasting against Distribution Shift"). Coefficients are
shrunk towards a prior forecast (flat, or the mean of the last seasons) instead of towards nothing, so that scarce data
falls back to a sensible forecast. One pass over the data collects second moments; every look-back, prior and penalty is
solved from those, and the validation window chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

import torch
from pydantic import Field
from torch import Tensor

from contracts import ForecastSpec, ModelError

from .forecaster import Batch, Batches, ClosedFormForecaster, Options
from .harmonics import HourHarmonics
from .moments import Moments
from .priors import seasonal_prior
from .residuals import ResidualQuantiles
from .scaling import fill_if_any, mask_outliers, window_mean, window_scale


class Criterion(StrEnum):
    """What the validation window judges candidates by."""

    MAE = "mae"
    MSE = "mse"


class RidgeOptions(Options):
    """Settings of the ridge forecaster; lists are candidates that the validation window chooses from.

    Attributes:
        look_backs: steps of the context that are used; the whole context when empty.
        penalties: ridge penalties, relative to the mean variance of the readings.
        prior_seasons: how many past seasons the prior averages; 0 is the flat prior (the window's mean).
        season: steps of a season, for the prior and for filling gaps; None when there is none.
        blend: average the coefficients of this many best candidates.
        guard: readings further than this many robust standard deviations from the window's median count as missing.
        scaled: weigh windows by their spread, for series of unlike size in one model.
        hour_harmonics: order of a daily profile of the local hour; needs a calendar. 0 leaves it out.
        criterion: what validation judges by.
        refit: solve the chosen candidate again on train and validation together.
        centred: leave the middle line at the fitted forecast, instead of moving it by the median validation error.
        recalibrate: take the errors for the quantiles after the refit, not before it: sharper, and fair only where
            the windows far outnumber the coefficients.
    """

    look_backs: tuple[int, ...] = ()
    penalties: tuple[float, ...] = (0.01, 0.1, 1.0)
    prior_seasons: tuple[int, ...] = (0,)
    season: int | None = Field(default=None, ge=1)
    blend: int = Field(default=1, ge=1)
    guard: float | None = Field(default=None, gt=0)
    scaled: bool = False
    hour_harmonics: int = Field(default=0, ge=0, le=12)
    criterion: Criterion = Criterion.MAE
    refit: bool = True
    centred: bool = False
    recalibrate: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    look_back: int
    seasons: int
    penalty: float


class Ridge(ClosedFormForecaster):
    """One matrix from window to horizon, with the quantiles of its validation errors."""

    family = "ridge"
    Settings = RidgeOptions

    weight: Tensor

    def __init__(self, spec: ForecastSpec, options: RidgeOptions) -> None:
        super().__init__(spec, options)
        _check_options(spec, options)
        self.settings = options
        self.register_buffer("weight", torch.zeros(spec.context + 2 * options.hour_harmonics, spec.horizon))
        self.harmonics = HourHarmonics(spec, options.hour_harmonics)
        self.residuals = ResidualQuantiles(spec)
        self._chosen: tuple[_Candidate, ...] = ()

    def forward(self, context: Tensor, calendar: Tensor | None = None, **_: Tensor | None) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        predictors, mean, scale = self._read(context, calendar)
        point = (predictors @ self.weight) * scale + mean
        return self.residuals(point, scale if self.settings.scaled else None)

    def solve(self, train: Batches, validation: Batches) -> None:
        """Solve every candidate on ``train``, choose on ``validation``, refit on both if so set."""
        moments = self._collect(train)
        candidates = self._candidates()
        weights = torch.stack([self._weigh(moments, candidate) for candidate in candidates])  # (candidate, time, h)
        losses = self._judge(weights, validation)
        best = losses.argsort()[: self.settings.blend].tolist()
        self._chosen = tuple(candidates[index] for index in best)
        self.weight.copy_(weights[best].mean(0))
        self.residuals.fit(torch.cat([self._errors(batch) for batch in validation]), centred=self.settings.centred)
        if self.settings.refit:
            moments.merge(self._collect(validation))
            self.weight.copy_(self._blend(moments))
        if self.settings.recalibrate:
            self.residuals.fit(torch.cat([self._errors(batch) for batch in validation]), centred=self.settings.centred)

    def describe(self) -> dict[str, float | int | str]:
        """Return the settings that validation chose."""
        if not self._chosen:
            return {}
        best = self._chosen[0]
        return {"look_back": best.look_back, "prior_seasons": best.seasons, "penalty": best.penalty}

    def _read(self, context: Tensor, calendar: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return predictors ``(batch, time + covariate)``, mean and unit of each window, both ``(batch, 1)``."""
        guarded = context if self.settings.guard is None else mask_outliers(context, self.settings.guard)
        filled = fill_if_any(guarded, self.settings.season, fitting=self.training)
        mean = window_mean(filled)
        scale = window_scale(filled) if self.settings.scaled else torch.ones_like(mean)
        return torch.cat([(filled - mean) / scale, self.harmonics(context, calendar)], 1), mean, scale

    def _collect(self, batches: Batches) -> Moments:
        moments = Moments(self.spec.context, self.spec.horizon, covariates=self.harmonics.width)
        for batch in batches:
            predictors, mean, scale = self._read(batch.context, batch.calendar)
            moments.add(predictors, (batch.target - mean) / scale)
        if not moments.sufficient:
            message = "A step of the horizon has no window with a target to fit on. Widen the train window."
            raise ModelError(message)
        return moments

    def _blend(self, moments: Moments) -> Tensor:
        return torch.stack([self._weigh(moments, candidate) for candidate in self._chosen]).mean(0)

    def _candidates(self) -> list[_Candidate]:
        look_backs = self.settings.look_backs or (self.spec.context,)
        candidates = [
            _Candidate(look_back, seasons, penalty)
            for look_back, seasons, penalty in product(look_backs, self.settings.prior_seasons, self.settings.penalties)
            if seasons * (self.settings.season or 0) <= look_back
        ]
        if not candidates:
            message = f"No look-back of {look_backs} holds as many seasons as prior_seasons asks for. Lengthen one."
            raise ModelError(message)
        return candidates

    def _weigh(self, moments: Moments, candidate: _Candidate) -> Tensor:
        prior = seasonal_prior(candidate.look_back, self.spec.horizon, self.settings.season or 1, candidate.seasons)
        return moments.solve(prior, candidate.penalty).to(self.weight.dtype)

    def _judge(self, weights: Tensor, validation: Batches) -> Tensor:
        total = torch.zeros(len(weights), dtype=torch.float64)
        for batch in validation:
            predictors, mean, scale = self._read(batch.context, batch.calendar)
            error = torch.einsum("bt,cth->cbh", predictors, weights) - (batch.target - mean) / scale
            loss = error.square() if self.settings.criterion is Criterion.MSE else error.abs()
            total += loss.nansum((1, 2)).double()
        return total

    def _errors(self, batch: Batch) -> Tensor:
        predictors, mean, scale = self._read(batch.context, batch.calendar)
        return (batch.target - mean) / scale - predictors @ self.weight


def _check_options(spec: ForecastSpec, options: RidgeOptions) -> None:
    longest = max(options.look_backs, default=1)
    if longest > spec.context or min(options.look_backs, default=1) < 1:
        message = f"look_backs {options.look_backs} must lie within 1 and the context of {spec.context}."
        raise ModelError(message)
    if any(options.prior_seasons) and options.season is None:
        message = f"prior_seasons {options.prior_seasons} needs a season. Set season, such as 24 for hourly data."
        raise ModelError(message)
