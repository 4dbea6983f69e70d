"""Autoregressions: each sign's own few coefficients, solved in closed form, all signs in one graph.

The next reading, less the mean of the look-back, is linear in readings a few steps, a day and a week back. Absolute
errors are approached by reweighting squared ones (Schlossmacher, 1973, "An Iterative Technique for Absolute Deviations
Curve Fitting"). The steps of the horizon follow by recursion, which the graph holds as each sign's impulse response, so
that asking takes no loop. Which sign it is comes in as a static covariate: its number; a number that was not fitted, or
none at all, gets the coefficients that all signs share. Between neighbouring signs nothing is learnt: put a global
family beside it in an ensemble for that.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import torch
from pydantic import Field
from torch import Tensor

from contracts import ForecastSpec, ModelError

from .forecaster import Batch, Batches, ClosedFormForecaster, Options
from .residuals import ResidualQuantiles
from .scaling import fill_if_any, window_mean, window_scale

NUMBER = "sign_number"
"""Static covariate that says which sign a window is of, counted from 0."""
_HELD = 0.3
"""Share of the mean error below which errors are weighed alike: no reading may claim all the weight."""
_WINDOWS_PER_LAG = 2
"""A sign with fewer windows than so many for each coefficient takes what all share: its own would fit by chance."""
_LEAST = 1e-6
_LEAST_LOG_SHARE = 1e-3


class AutoregressionOptions(Options):
    """Settings of the autoregressions.

    Attributes:
        lags: steps back that the next reading is linear in.
        seasons: lags whose mean is the forecast that coefficients are shrunk towards; each one of ``lags``.
        look_back: steps whose mean is taken off; no shorter than the longest lag.
        signs: how many signs have coefficients of their own; above 0 it needs the static covariate ``sign_number``.
        penalty: strength of the shrinkage, in units of the look-back's variance.
        reweightings: how often squared errors are reweighted towards absolute ones.
        logarithm: work on logarithms, for quantities that are positive and vary in proportion.
        season: steps of a season, for filling gaps; None when there is none.
        refit: solve once more on every step of train and validation together, after the quantiles are taken.
    """

    lags: tuple[int, ...] = (1, 2, 3, 24, 168)
    seasons: tuple[int, ...] = (24, 168)
    look_back: int = Field(default=168, ge=1)
    signs: int = Field(default=0, ge=0)
    penalty: float = Field(default=1e-4, gt=0)
    reweightings: int = Field(default=2, ge=0)
    logarithm: bool = False
    season: int | None = Field(default=None, ge=1)
    refit: bool = True


class Autoregression(ClosedFormForecaster):
    """Own coefficients of every sign; quantiles from each sign's own one-step errors, grown along the horizon."""

    family = "autoregression"
    Settings = AutoregressionOptions
    takes_covariates = True

    prior: Tensor
    weight: Tensor
    response: Tensor
    spread: Tensor
    past: Tensor
    inside: Tensor
    delay: Tensor

    def __init__(self, spec: ForecastSpec, options: AutoregressionOptions) -> None:
        super().__init__(spec, options)
        _check(spec, options)
        self.settings = options
        self.column = spec.static.index(NUMBER) if options.signs else None
        lags, steps = torch.tensor(options.lags), torch.arange(spec.horizon)
        reach = steps[:, None] - lags  # (horizon, lag): below 0 it lies in the past
        self.register_buffer("past", (options.look_back + reach).clamp(max=options.look_back - 1), persistent=False)
        self.register_buffer("inside", (reach < 0).float(), persistent=False)
        self.register_buffer("delay", steps[:, None] - steps, persistent=False)  # (horizon, horizon)
        prior = torch.isin(lags, torch.tensor(options.seasons)).float() / max(len(options.seasons), 1)
        rows = options.signs + 1  # the last is what all share
        self.register_buffer("prior", prior, persistent=False)
        self.register_buffer("weight", prior.expand(rows, -1).clone())
        self.register_buffer("response", _respond(self.weight, options.lags, spec.horizon))
        self.register_buffer("spread", torch.zeros(rows, spec.horizon))
        self.residuals = ResidualQuantiles(spec)

    def forward(
        self,
        context: Tensor,
        calendar: Tensor | None = None,
        *,
        known: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        del calendar, known
        readings, mean, scale = self._read(context)
        rows = self._rows(static, context)
        quantiles = self.residuals(self._point(readings, rows), self.spread[rows])
        raw = quantiles * scale[:, :, None] + mean[:, :, None]
        return raw.exp() if self.settings.logarithm else raw

    def solve(self, train: Batches, validation: Batches) -> None:
        """Solve on the next reading of every window; quantiles from the errors of the validation windows."""
        error = torch.zeros(len(self.weight), dtype=torch.float64)
        for _ in range(self.settings.reweightings + 1):
            error = self._reweigh(train, error)
        self._unfold(error)
        self.residuals.fit(torch.cat([self._errors(batch) for batch in validation]), centred=True)
        if self.settings.refit:
            self._unfold(self._reweigh(chain(train, _each_step(validation)), error))

    def describe(self) -> dict[str, float | int | str]:
        """Return the shared coefficients of the shortest lags and of the seasons."""
        chosen = zip(self.settings.lags, self.weight[-1].tolist(), strict=True)
        return {f"shared_lag_{lag}": value for lag, value in chosen if lag in self.settings.seasons or lag == 1}

    def _unfold(self, error: Tensor) -> None:
        """Take the impulse responses of the coefficients, and how one-step errors grow along them."""
        self.response.copy_(_respond(self.weight, self.settings.lags, self.spec.horizon))
        grown = self.response.square().cumsum(1).sqrt()
        self.spread.copy_(error[:, None].to(grown.dtype) * grown)

    def _read(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the look-back ``(batch, time)`` in normalised units, its mean and its spread, both ``(batch, 1)``."""
        filled = self._fill(context)
        if self.settings.logarithm:
            filled = torch.maximum(filled, self._least(filled)).log()
        mean, scale = window_mean(filled), window_scale(filled)
        return (filled - mean) / scale, mean, scale

    def _fill(self, context: Tensor) -> Tensor:
        return fill_if_any(context, self.settings.season, fitting=self.training)[:, -self.settings.look_back :]

    @staticmethod
    def _least(filled: Tensor) -> Tensor:
        return _LEAST_LOG_SHARE * window_mean(filled.abs()) + torch.finfo(filled.dtype).tiny

    def _rows(self, static: Tensor | None, context: Tensor) -> Tensor:
        """Return which coefficients each window has, shape ``(batch,)``."""
        shared = torch.full_like(context[:, 0], self.settings.signs, dtype=torch.int64)
        if static is None or self.column is None:
            return shared
        number = static[:, self.column]
        # A mean of numbers, as may stand for a sign to come, is nobody's number unless it happens to be whole.
        fitted = (number >= 0) & (number < self.settings.signs) & (number == number.floor())
        return torch.where(fitted, torch.where(fitted, number, 0.0).to(torch.int64), shared)

    def _point(self, readings: Tensor, rows: Tensor) -> Tensor:
        """Return the forecast in normalised units, shape ``(batch, horizon)``."""
        reached = readings[:, self.past] * self.inside  # (batch, horizon, lag)
        driven = (reached * self.weight[rows][:, None]).sum(2)
        kernel = self.response[rows][:, self.delay.clamp(min=0)] * (self.delay >= 0)  # (batch, horizon, horizon)
        return (kernel @ driven[:, :, None])[:, :, 0]

    def _targets(self, batch: Batch, mean: Tensor, scale: Tensor) -> Tensor:
        target = batch.target
        if self.settings.logarithm:
            target = torch.maximum(target, self._least(self._fill(batch.context))).log()
        return (target - mean) / scale

    def _errors(self, batch: Batch) -> Tensor:
        """Return errors in units of each sign's spread, shape ``(batch, horizon)``."""
        readings, mean, scale = self._read(batch.context)
        rows = self._rows(batch.static, batch.context)
        return (self._targets(batch, mean, scale) - self._point(readings, rows)) / self.spread[rows]

    def _reweigh(self, train: Batches, error: Tensor) -> Tensor:
        """Solve once with weights from the coefficients so far; return each row's mean absolute error before.

        Args:
            train: windows; the first target of each is what is regressed.
            error: mean absolute error of each row, shape ``(row,)``; zeros give every window the same weight.
        """
        count, lags = self.weight.shape
        gram = torch.zeros(count, lags, lags, dtype=torch.float64)
        cross = torch.zeros(count, lags, dtype=torch.float64)
        weights, errors, windows = (torch.zeros(count, dtype=torch.float64) for _ in range(3))
        for batch in train:
            predictors, left, rows = self._regress(batch)
            miss = (left - (predictors * (self.weight[rows] - self.prior)).sum(1)).abs().double()
            reweighted = error[rows] > 0
            share = torch.where(reweighted, 1 / (miss + _HELD * error[rows] + _LEAST), 1.0)
            light = predictors.double() * share[:, None]
            gram.index_add_(0, rows, light[:, :, None] * predictors[:, None].double())
            cross.index_add_(0, rows, light * left[:, None].double())
            weights.index_add_(0, rows, share)
            errors.index_add_(0, rows, miss)
            windows.index_add_(0, rows, torch.ones_like(share))
        # What all share stands for signs without a window as well.
        total = errors[:-1].sum() + errors[-1], windows[:-1].sum() + windows[-1]
        errors[-1], windows[-1] = total
        if not float(windows[-1]):
            message = "No window has a first target to fit on. Widen the train window."
            raise ModelError(message)
        enough = windows >= _WINDOWS_PER_LAG * lags
        self._solve(gram, cross, weights, enough)
        return torch.where(enough, errors / windows.clamp(min=1), errors[-1] / windows[-1])

    def _solve(self, gram: Tensor, cross: Tensor, weights: Tensor, enough: Tensor) -> None:
        gram[-1], cross[-1], weights[-1] = gram.sum(0), cross.sum(0), weights.sum()
        ridge = self.settings.penalty * weights.clamp(min=_LEAST)[:, None, None] * torch.eye(gram.shape[1])
        solved = self.prior + torch.linalg.solve(gram + ridge, cross)
        self.weight.copy_(torch.where(enough[:, None], solved, solved[-1]))

    def _regress(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return predictors ``(window, lag)``, what the prior leaves of the next reading ``(window,)``, and rows."""
        readings, mean, scale = self._read(batch.context)
        left = self._targets(batch, mean, scale)[:, 0]
        predictors = torch.stack([readings[:, -lag] for lag in self.settings.lags], 1)
        rows = self._rows(batch.static, batch.context)
        usable = torch.isfinite(left) & torch.isfinite(predictors).all(1)
        predictors = predictors[usable]
        return predictors, left[usable] - predictors @ self.prior, rows[usable]


def _each_step(batches: Batches) -> Batches:
    """Yield windows that end before each step of the targets, that step being their one target."""
    for batch in batches:
        whole = torch.cat([batch.context, batch.target], 1)
        time = batch.context.shape[1]
        for step in range(batch.target.shape[1]):
            yield replace(batch, context=whole[:, step : step + time], target=batch.target[:, step, None])


def _respond(weight: Tensor, lags: tuple[int, ...], horizon: int) -> Tensor:
    """Return what a unit shock does at each later step, shape ``(row, horizon)``."""
    response = torch.zeros(len(weight), horizon, dtype=torch.float64)
    response[:, 0] = 1
    for step in range(1, horizon):
        for column, lag in enumerate(lags):
            if lag <= step:
                response[:, step] += weight[:, column] * response[:, step - lag]
    return response.to(weight.dtype)


def _check(spec: ForecastSpec, options: AutoregressionOptions) -> None:
    longest = max(options.lags, default=0)
    if not options.lags or min(options.lags) < 1 or not longest <= options.look_back <= spec.context:
        message = (
            f"lags {options.lags} must lie within 1 and look_back, was {options.look_back}, and that within the "
            f"context of {spec.context}. Change one."
        )
        raise ModelError(message)
    if not set(options.seasons) <= set(options.lags):
        message = f"seasons {options.seasons} must be among the lags {options.lags}. Add them there."
        raise ModelError(message)
    if options.signs and NUMBER not in spec.static:
        message = f"{options.signs} signs need the static covariate {NUMBER!r}, but static is {spec.static}. Add it."
        raise ModelError(message)
