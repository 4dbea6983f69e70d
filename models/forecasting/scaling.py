"""Missing values, outliers and scale, as tensor code that exports: what stands at the mouth of every graph."""

from __future__ import annotations

import torch
from torch import Tensor

SPREAD_PER_MAD = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""

_LEAST_RELATIVE_SCALE = 1e-4
_LEAST_SCALE = 1e-6
_GUARD_FLOOR = 0.05


def window_mean(context: Tensor) -> Tensor:
    """Return the mean of the finite readings, shape ``(batch, 1)``; NaN where there is none.

    Args:
        context: shape ``(batch, time)``, NaN where missing.
    """
    known = ~torch.isnan(context)
    count = known.sum(1, keepdim=True).to(context.dtype)
    return torch.where(known, context, 0.0).sum(1, keepdim=True) / count


def window_scale(context: Tensor) -> Tensor:
    """Return the spread of the finite readings, shape ``(batch, 1)``, always positive.

    A flat window has a small spread relative to its level, so that dividing by it stays finite.
    """
    known = ~torch.isnan(context)
    count = known.sum(1, keepdim=True).to(context.dtype).clamp(min=1)
    mean = torch.where(known, context, 0.0).sum(1, keepdim=True) / count
    deviation = torch.where(known, context - mean, 0.0)
    spread = (deviation.square().sum(1, keepdim=True) / count).sqrt()
    return torch.maximum(spread, (mean.abs() * _LEAST_RELATIVE_SCALE).clamp(min=_LEAST_SCALE))


def window_median(context: Tensor) -> Tensor:
    """Return the lower median of the finite readings, shape ``(batch, 1)``; infinite where there is none."""
    known = ~torch.isnan(context)
    ordered = torch.where(known, context, torch.inf).sort(1).values
    middle = ((known.sum(1, keepdim=True) - 1) // 2).clamp(min=0)
    return ordered.gather(1, middle)


def mask_outliers(context: Tensor, threshold: float) -> Tensor:
    """Return the context with readings far from its median as missing.

    Args:
        context: shape ``(batch, time)``, NaN where missing.
        threshold: how many robust standard deviations (from the median absolute deviation) are far.
    """
    deviation = (context - window_median(context)).abs()
    robust = SPREAD_PER_MAD * window_median(deviation)
    spread = torch.maximum(robust, _GUARD_FLOOR * window_scale(context))
    return torch.where(deviation > threshold * spread, torch.nan, context)


def fill_gaps(context: Tensor, season: int | None = None) -> Tensor:
    """Fill missing readings: from a season ago where it is known, else by a line between the neighbours.

    Before the first reading and after the last, the nearest one stands. The fills work by doubling strides, so that
    the graph has a logarithmic number of nodes and no loop.

    Args:
        context: shape ``(batch, time)``, NaN where missing.
        season: steps of a season, or None to interpolate alone.

    Returns:
        Shape ``(batch, time)``; NaN only where a window holds no reading at all.
    """
    if season is not None:
        context = _fill_from_past(context, season)
    forward, steps_back = _nearest(context, ahead=False)
    backward, steps_ahead = _nearest(context, ahead=True)
    line = (forward * steps_ahead + backward * steps_back) / (steps_back + steps_ahead).clamp(min=1)
    ends = torch.where(torch.isnan(forward), backward, forward)
    filled = torch.where(torch.isnan(line), ends, line)
    return torch.where(torch.isnan(context), filled, context)


def fill_if_any(context: Tensor, season: int | None, *, fitting: bool) -> Tensor:
    """Fill gaps; while fitting, batches without a gap skip the fills, which cost as much as a small network itself.

    Args:
        context: shape ``(batch, time)``, NaN where missing.
        season: see :func:`fill_gaps`.
        fitting: whether this may depend on the data; an exported graph always fills.
    """
    if fitting and not bool(torch.isnan(context).any()):
        return context
    return fill_gaps(context, season)


def _fill_from_past(context: Tensor, season: int) -> Tensor:
    shift = season
    while shift < context.shape[1]:
        context = torch.where(torch.isnan(context), _delay(context, shift, torch.nan), context)
        shift *= 2
    return context


def _nearest(context: Tensor, *, ahead: bool) -> tuple[Tensor, Tensor]:
    """Return the nearest reading on one side of each step, itself included, and how many steps away it is.

    Positions travel, not readings: a maximum for each doubling is all that the graph does. NaN where there is none.
    """
    time = context.shape[1]
    steps = torch.arange(time, dtype=context.dtype)
    count = time - 1 - steps if ahead else steps  # grows away from the side that is looked at
    found = torch.where(torch.isnan(context), -1.0, count)
    shift = 1
    while shift < time:
        none = torch.full_like(found[:, :shift], -1.0)
        moved = [found[:, shift:], none] if ahead else [none, found[:, :-shift]]
        found = torch.maximum(found, torch.cat(moved, 1))
        shift *= 2
    place = (time - 1 - found if ahead else found).clamp(0, time - 1).to(torch.int64)
    return torch.where(found < 0, torch.nan, context.gather(1, place)), count - found


def _delay(values: Tensor, steps: int, fill: float) -> Tensor:
    head = torch.full_like(values[:, :steps], fill)
    return torch.cat([head, values[:, :-steps]], 1)
