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
from .moments import Moments
from .residuals import ResidualQuantiles
from .scaling import fill_gaps, mask_outliers, window_mean, window_scale


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
        criterion: what validation judges by.
        refit: solve the chosen candidate again on train and validation together.
    """

    look_backs: tuple[int, ...] = ()
    penalties: tuple[float, ...] = (0.01, 0.1, 1.0)
    prior_seasons: tuple[int, ...] = (0,)
    season: int | None = Field(default=None, ge=1)
    blend: int = Field(default=1, ge=1)
    guard: float | None = Field(default=None, gt=0)
    scaled: bool = False
    criterion: Criterion = Criterion.MAE
    refit: bool = True


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
        self.register_buffer("weight", torch.zeros(spec.context, spec.horizon))
        self.residuals = ResidualQuantiles(spec)
        self._chosen: tuple[_Candidate, ...] = ()

    def forward(self, context: Tensor, calendar: Tensor | None = None) -> Tensor:  # noqa: ARG002 - one signature
        """See :meth:`Forecaster.forward`."""
        readings, mean = self._read(context)
        scale = window_scale(readings + mean) if self.settings.scaled else None
        return self.residuals(readings @ self.weight + mean, scale)

    def solve(self, train: Batches, validation: Batches) -> None:
        """Solve every candidate on ``train``, choose on ``validation``, refit on both if so set."""
        moments = self._collect(train)
        candidates = self._candidates()
        weights = torch.stack([self._weigh(moments, candidate) for candidate in candidates])  # (candidate, time, h)
        losses = self._judge(weights, validation)
        best = losses.argsort()[: self.settings.blend].tolist()
        self._chosen = tuple(candidates[index] for index in best)
        self.weight.copy_(weights[best].mean(0))
        self.residuals.fit(torch.cat([self._errors(batch) for batch in validation]))
        if self.settings.refit:
            moments.merge(self._collect(validation))
            refitted = [self._weigh(moments, candidate) for candidate in self._chosen]
            self.weight.copy_(torch.stack(refitted).mean(0))

    def describe(self) -> dict[str, float | int | str]:
        """Return the settings that validation chose."""
        if not self._chosen:
            return {}
        best = self._chosen[0]
        return {"look_back": best.look_back, "prior_seasons": best.seasons, "penalty": best.penalty}

    def _read(self, context: Tensor) -> tuple[Tensor, Tensor]:
        guarded = context if self.settings.guard is None else mask_outliers(context, self.settings.guard)
        filled = fill_gaps(guarded, self.settings.season)
        mean = window_mean(filled)
        return filled - mean, mean

    def _weights_of_windows(self, batch: Batch) -> Tensor:
        readings, mean = self._read(batch.context)
        return window_scale(readings + mean).reciprocal() if self.settings.scaled else torch.ones_like(mean)

    def _collect(self, batches: Batches) -> Moments:
        moments = Moments(self.spec.context, self.spec.horizon)
        for batch in batches:
            readings, mean = self._read(batch.context)
            weight = self._weights_of_windows(batch)
            moments.add(readings * weight, (batch.target - mean) * weight)
        if not moments.sufficient:
            message = "A step of the horizon has no window with a target to fit on. Widen the train window."
            raise ModelError(message)
        return moments

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
            readings, mean = self._read(batch.context)
            error = torch.einsum("bt,cth->cbh", readings, weights) + mean - batch.target
            error = error * self._weights_of_windows(batch)
            loss = error.square() if self.settings.criterion is Criterion.MSE else error.abs()
            total += loss.nansum((1, 2)).double()
        return total

    def _errors(self, batch: Batch) -> Tensor:
        readings, mean = self._read(batch.context)
        error = batch.target - readings @ self.weight - mean
        return error / window_scale(readings + mean) if self.settings.scaled else error


def seasonal_prior(look_back: int, horizon: int, season: int, seasons: int) -> Tensor:
    """Return the matrix that forecasts the mean of the last seasons.

    Args:
        look_back: steps that are used.
        horizon: steps that are forecast.
        season: steps of a season.
        seasons: how many seasons it averages; 0 gives the flat prior, a matrix of zeros.

    Returns:
        Shape ``(look_back, horizon)``, float64.
    """
    prior = torch.zeros(look_back, horizon, dtype=torch.float64)
    for step in range(horizon if seasons else 0):
        latest = look_back + step - season * (step // season + 1)
        for past in range(seasons):
            position = latest - past * season
            if position >= 0:
                prior[position, step] = 1.0
    return prior / prior.sum(0).clamp(min=1)


def _check_options(spec: ForecastSpec, options: RidgeOptions) -> None:
    longest = max(options.look_backs, default=1)
    if longest > spec.context or min(options.look_backs, default=1) < 1:
        message = f"look_backs {options.look_backs} must lie within 1 and the context of {spec.context}."
        raise ModelError(message)
    if any(options.prior_seasons) and options.season is None:
        message = f"prior_seasons {options.prior_seasons} needs a season. Set season, such as 24 for hourly data."
        raise ModelError(message)
