"""What gradient families descend: the quantile loss, in units that make series of unlike size comparable."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from .scaling import window_scale

_LEAST_SHARE = 1e-3


class LossUnit(StrEnum):
    """What an error is divided by before errors of different series are added."""

    SPREAD = "spread"
    """Standard deviation of the window."""
    SEASONAL = "seasonal"
    """Mean absolute seasonal difference of the window, as in MASE and MSIS."""
    SYMMETRIC = "symmetric"
    """Mean of forecast and actual, as in sMAPE; for quantities that are positive."""


def pinball_loss(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Return the mean quantile loss over finite targets (Koenker and Bassett, 1978).

    Args:
        quantiles: shape ``(..., horizon, quantile)``.
        target: shape ``(..., horizon)``; NaN is left out.
        levels: probabilities, shape ``(quantile,)``.
    """
    known = torch.isfinite(target) & torch.isfinite(quantiles[..., 0])
    error = torch.where(known, target, 0.0)[..., None] - torch.where(known[..., None], quantiles, 0.0)
    loss = torch.maximum(levels * error, (levels - 1) * error)
    return loss.sum() / (known.sum() * len(levels)).clamp(min=1)


def loss_unit(unit: LossUnit, context: Tensor, median: Tensor, target: Tensor, season: int | None) -> Tensor:
    """Return what errors are divided by, shape ``(batch, horizon)`` or ``(batch, 1)``, positive.

    Args:
        unit: which unit.
        context: shape ``(batch, time)``, raw units, NaN where missing.
        median: forecast, shape ``(batch, horizon)``.
        target: shape ``(batch, horizon)``, NaN where missing.
        season: steps of a season; 1 where None.
    """
    spread = window_scale(context)
    if unit is LossUnit.SPREAD:
        return spread
    if unit is LossUnit.SYMMETRIC:
        # Not detached: sMAPE's own denominator moves with the forecast.
        return (median.abs() + target.abs()) / 2 + _LEAST_SHARE * spread
    lag = season or 1
    difference = (context[:, lag:] - context[:, :-lag]).abs()
    seasonal = difference.nanmean(1, keepdim=True)
    return torch.where(torch.isfinite(seasonal), seasonal, spread) + _LEAST_SHARE * spread
