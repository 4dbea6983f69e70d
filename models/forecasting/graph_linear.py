"""A linear model of a network in closed form: own past, neighbours one and two hops away, time of day, the whole state.

Three layers of least squares, each shrunk and each on what the one before left: one set of coefficients for all
series; each series' own, shrunk towards the common ones; and a ridge from the state of the whole network (how far each
series is from its daily profile, and how it moves) to every series. The adjacency is inside the graph.
"""

from __future__ import annotations

from itertools import product

import torch
from pydantic import Field
from torch import Tensor

from contracts import ForecastSpec, ModelError

from .forecaster import Batch, Batches, ClosedFormForecaster
from .harmonics import StepHarmonics
from .network import NetworkOptions, adjacency, fill_network
from .residuals import ResidualQuantiles

_COMMON_PENALTY = 1e-4
_PROFILE_PENALTY = 5.0
"""In windows: a profile needs more than so many before it is believed."""


class GraphLinearOptions(NetworkOptions):
    """Settings of the linear network model; lists are candidates that the validation window chooses from.

    Attributes:
        neighbour_lags: steps back at which the neighbours' means are seen; 0 is the last reading.
        trend_lag: steps over which the movement of the network's state is taken.
        hour_harmonics: order of the daily profile of each series; needs a calendar. 0 leaves the profile flat.
        series_penalties: how strongly each series' coefficients are held to the common ones.
        state_penalties: ridge penalties of the state of the network.
        refit: solve the chosen candidate again on train and validation together.
    """

    neighbour_lags: tuple[int, ...] = (0, 1, 2, 3)
    trend_lag: int = Field(default=3, ge=1)
    hour_harmonics: int = Field(default=6, ge=0, le=12)
    series_penalties: tuple[float, ...] = (0.3, 1.0, 3.0)
    state_penalties: tuple[float, ...] = (10.0, 30.0, 100.0)
    refit: bool = True


class GraphLinear(ClosedFormForecaster):
    """Own past, neighbours, profile and state of the network, all linear; mean forecasts with quantiles of errors."""

    family = "graph_linear"
    Settings = GraphLinearOptions
    takes_network = True

    hops: Tensor
    profile: Tensor
    weight: Tensor
    target_weight: Tensor
    state_weight: Tensor
    level: Tensor

    def __init__(self, spec: ForecastSpec, options: GraphLinearOptions) -> None:
        super().__init__(spec, options)
        _check_lags(spec, options)
        self.settings = options
        self.harmonics = StepHarmonics(spec, options.hour_harmonics)
        near = adjacency(spec, options)
        near /= near.sum(1, keepdim=True).clamp(min=torch.finfo(near.dtype).tiny)
        self.register_buffer("hops", torch.stack([near, near @ near]))
        count, horizon = len(near), spec.horizon
        features = spec.context - 1 + 2 * len(options.neighbour_lags) + 3
        self.register_buffer("level", torch.zeros(()))
        self.register_buffer("profile", torch.zeros(1 + 2 * options.hour_harmonics, count))
        self.register_buffer("weight", torch.zeros(count, features, horizon))
        self.register_buffer("target_weight", torch.zeros(count, horizon))
        self.register_buffer("state_weight", torch.zeros(2 * count, count * horizon))
        self.residuals = ResidualQuantiles(spec, rows=count)
        self._chosen: tuple[float, float] | None = None

    def forward(self, context: Tensor, calendar: Tensor | None = None, **_: Tensor | None) -> Tensor:
        """Return quantiles ``(batch, series, horizon, quantile)``; see :meth:`Forecaster.forward`."""
        return self.residuals(self._point(context, calendar))

    def solve(self, train: Batches, validation: Batches) -> None:
        """Solve every candidate on ``train``, choose by the squared error on ``validation``, refit if so set."""
        past, later = _join(train), _join(validation)
        scores = {
            choice: self._judge(past, later, *choice)
            for choice in product(self.settings.series_penalties, self.settings.state_penalties)
        }
        self._chosen = min(scores, key=lambda choice: scores[choice])
        self._fit(past, *self._chosen)
        errors = later.target - self._point(later.context, later.calendar)
        if self.settings.refit:
            self._fit(_join([past, later]), *self._chosen)
        self.residuals.fit(errors, centred=True)

    def describe(self) -> dict[str, float | int | str]:
        """Return the penalties that validation chose."""
        if self._chosen is None:
            return {}
        return {"series_penalty": self._chosen[0], "state_penalty": self._chosen[1]}

    def _point(self, context: Tensor, calendar: Tensor | None) -> Tensor:
        """Return the mean forecast, shape ``(batch, series, horizon)``."""
        features, coming, state, last = self._read(context, calendar)
        own = torch.einsum("bsf,sfh->bsh", features, self.weight) + coming * self.target_weight
        whole = (state @ self.state_weight).reshape(-1, *self.target_weight.shape)  # (batch, series, horizon)
        return own + whole + last

    def _read(self, context: Tensor, calendar: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features, the profile ahead, the network's state, and the last readings.

        Shapes ``(batch, series, feature)``, ``(batch, series, horizon)``, ``(batch, 2 * series)`` and
        ``(batch, series, 1)``; the first two are relative to the last readings.
        """
        filled = fill_network(context)
        last = filled[:, :, -1:]
        usual = (self.harmonics(context, calendar) @ self.profile).transpose(1, 2) + self.level  # (b, s, time + h)
        now, coming = usual[:, :, self.spec.context - 1, None], usual[:, :, self.spec.context :]
        recent = torch.stack([filled[:, :, -1 - lag] for lag in self.settings.neighbour_lags], 2)
        near = torch.cat([hop @ recent for hop in self.hops], 2)
        strays = filled - usual[:, :, : self.spec.context]
        whole = strays[:, :, -1].mean(1)[:, None, None].expand(-1, last.shape[1], 1)
        parts = [filled[:, :, :-1] - last, near - last, now - last, whole, torch.ones_like(last)]
        moved = filled[:, :, -1] - filled[:, :, -1 - self.settings.trend_lag]
        return torch.cat(parts, 2), coming - last, torch.cat([strays[:, :, -1], moved], 1), last

    def _judge(self, past: Batch, later: Batch, series_penalty: float, state_penalty: float) -> float:
        self._fit(past, series_penalty, state_penalty)
        return float((later.target - self._point(later.context, later.calendar)).square().nanmean())

    def _fit(self, batch: Batch, series_penalty: float, state_penalty: float) -> None:
        self._fit_profile(batch)
        features, coming, state, last = self._read(batch.context, batch.calendar)
        left = torch.empty(len(state), *self.target_weight.shape)
        for step in range(self.spec.horizon):
            predictors = torch.cat([features, coming[:, :, step, None]], 2)
            target = batch.target[:, :, step] - last[:, :, 0]
            weights = _solve_shrunk(predictors, target, series_penalty)
            self.weight[:, :, step], self.target_weight[:, step] = weights[:, :-1], weights[:, -1]
            left[:, :, step] = target - torch.einsum("bsf,sf->bs", predictors, weights)
        gram = state.double().T @ state.double()
        # A missing target is no evidence: what is left counts as nothing to explain.
        cross = state.double().T @ left.nan_to_num().flatten(1).double()
        least = torch.finfo(torch.float64).tiny
        gram.diagonal().add_((state_penalty * gram.trace() / len(state)).clamp(min=least))
        self.state_weight.copy_(torch.linalg.solve(gram, cross))

    def _fit_profile(self, batch: Batch) -> None:
        """Fit each series' daily profile by ridge on the last readings of the windows."""
        values = fill_network(batch.context)[:, :, -1].double()
        waves = self.harmonics(batch.context, batch.calendar)[:, self.spec.context - 1].double()
        self.level.copy_(values.mean())
        penalty = torch.full((waves.shape[1],), _PROFILE_PENALTY, dtype=torch.float64).diag()
        solved = torch.linalg.solve(waves.T @ waves + penalty, waves.T @ (values - values.mean()))
        self.profile.copy_(solved)


def _solve_shrunk(predictors: Tensor, target: Tensor, penalty: float) -> Tensor:
    """Return each series' coefficients ``(series, feature)``, shrunk towards those of all series together."""
    known = torch.isfinite(target)
    weighted = torch.where(known[:, :, None], predictors, 0.0)
    grams = torch.einsum("bsf,bsg->sfg", weighted, weighted).double()
    crosses = torch.einsum("bsf,bs->sf", weighted, target.nan_to_num()).double()
    common_gram = grams.sum(0)
    ridge = _COMMON_PENALTY * common_gram.diagonal().mean() * torch.eye(len(common_gram), dtype=torch.float64)
    common = torch.linalg.solve(common_gram + ridge, crosses.sum(0))
    least = torch.finfo(torch.float64).tiny
    strength = penalty * grams.diagonal(dim1=1, dim2=2).mean(1).clamp(min=least)
    held = grams + strength[:, None, None] * torch.eye(len(common), dtype=torch.float64)
    own = torch.linalg.solve(held, crosses - grams @ common)
    return (common + own).to(predictors.dtype)


def _join(batches: Batches) -> Batch:
    """Return all windows that hold a reading as one batch."""
    kept = list(batches)
    calendars = [batch.calendar for batch in kept if batch.calendar is not None]
    context, target = (torch.cat([getattr(batch, name) for batch in kept]) for name in ("context", "target"))
    seen = torch.isfinite(context).any(2).any(1)
    if not bool(torch.isfinite(target[seen]).any(0).all()):
        message = "A series of the network has no window with a target to fit on. Leave it out, or widen the window."
        raise ModelError(message)
    return Batch(context[seen], target[seen], torch.cat(calendars)[seen] if calendars else None)


def _check_lags(spec: ForecastSpec, options: GraphLinearOptions) -> None:
    longest = max((*options.neighbour_lags, options.trend_lag))
    if longest >= spec.context or min(options.neighbour_lags, default=0) < 0:
        message = f"Lags of up to {longest} steps must lie within the context of {spec.context}, from 0 on."
        raise ModelError(message)
