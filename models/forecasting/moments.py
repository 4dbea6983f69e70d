"""Second moments of windows: all that ridge regression needs to know of the data, whatever its length."""

from __future__ import annotations

import torch
from torch import Tensor

COVARIATE_PENALTY = 0.006
"""Ridge penalty of covariates, relative to the second moment of each: they are few, it only steadies the solution."""


class Moments:
    """Collects moments of readings and targets; solves ridge problems on any look-back from them.

    Windows with every target known share one matrix; a step with missing targets keeps a correction of its own, so that
    gaps cost nothing when there are none. Everything is float64.

    Args:
        context: steps of the readings.
        horizon: steps of the targets.
        covariates: further predictors behind the readings, used as they are.
    """

    def __init__(self, context: int, horizon: int, *, covariates: int = 0) -> None:
        self._context = context
        self._covariates = covariates
        self._width = context + covariates
        self._horizon = horizon
        self._shared = torch.zeros(self._width, self._width, dtype=torch.float64)
        self._partial: Tensor | None = None  # (horizon, predictor, predictor)
        self._cross = torch.zeros(self._width, horizon, dtype=torch.float64)
        self._counts = torch.zeros(horizon, dtype=torch.float64)

    @property
    def sufficient(self) -> bool:
        """Whether each step of the horizon has at least one target."""
        return bool((self._counts > 0).all())

    def add(self, readings: Tensor, targets: Tensor) -> None:
        """Add windows.

        Args:
            readings: shape ``(batch, time + covariate)``; a window without readings (NaN) is left out.
            targets: shape ``(batch, horizon)``, relative to the same origin; NaN is left out.
        """
        usable = torch.isfinite(readings).all(1) & torch.isfinite(targets).any(1)
        readings, targets = readings[usable].double(), targets[usable].double()
        known = torch.isfinite(targets)
        whole = known.all(1)
        self._shared += readings[whole].T @ readings[whole]
        self._cross += readings.T @ targets.nan_to_num()
        self._counts += known.sum(0)
        if not bool(whole.all()):
            self._add_partial(readings[~whole], known[~whole])

    def merge(self, other: Moments) -> None:
        """Add the windows that another collected."""
        self._shared += other._shared
        self._cross += other._cross
        self._counts += other._counts
        if other._partial is not None:
            self._partial = other._partial if self._partial is None else self._partial + other._partial

    def solve(self, prior: Tensor, penalty: float) -> Tensor:
        """Solve for the coefficients of a look-back, shrunk towards a prior.

        Args:
            prior: shape ``(look_back, horizon)``; its coefficients are on readings less their mean.
            penalty: relative to the mean second moment of the readings.

        Returns:
            Shape ``(context + covariates, horizon)``: coefficients on the whole context's readings and the covariates,
            zero beyond the look-back, such that they forecast the target relative to the whole context's origin.
        """
        look_back = prior.shape[0]
        used = slice(self._context - look_back, self._context)
        share = torch.zeros(self._width, 1, dtype=torch.float64)
        share[used] = 1 / look_back  # the look-back's mean as a linear form of the context
        centre = torch.zeros(self._width, look_back + self._covariates, dtype=torch.float64)
        centre[self._context - look_back :] = torch.eye(look_back + self._covariates, dtype=torch.float64)
        centre[:, :look_back] -= share
        prior = torch.cat([prior, prior.new_zeros(self._covariates, self._horizon)])
        columns = [self._solve_step(step, prior, penalty, centre, share) for step in self._steps()]
        return centre @ torch.cat(columns, 1) + share

    def _steps(self) -> list[slice]:
        if self._partial is None:
            return [slice(0, self._horizon)]
        return [slice(step, step + 1) for step in range(self._horizon)]

    def _solve_step(self, steps: slice, prior: Tensor, penalty: float, centre: Tensor, share: Tensor) -> Tensor:
        gram = self._shared if self._partial is None else self._shared + self._partial[steps.start]
        inner = centre.T @ gram @ centre
        cross = centre.T @ (self._cross[:, steps] - gram @ share)
        residual = cross - inner @ prior[:, steps]
        return prior[:, steps] + torch.linalg.solve(inner + self._ridge(inner, penalty), residual)

    def _ridge(self, inner: Tensor, penalty: float) -> Tensor:
        look_back = len(inner) - self._covariates
        moments = inner.diagonal()
        ridge = (penalty * moments[:look_back].mean()).expand(look_back)
        light = (COVARIATE_PENALTY * moments[look_back:]).expand(self._covariates)
        return torch.diag(torch.cat([ridge, light]).clamp(min=torch.finfo(torch.float64).tiny))

    def _add_partial(self, readings: Tensor, known: Tensor) -> None:
        if self._partial is None:
            self._partial = torch.zeros(self._horizon, self._width, self._width, dtype=torch.float64)
        for step in range(self._horizon):
            chosen = readings[known[:, step]]
            self._partial[step] += chosen.T @ chosen
