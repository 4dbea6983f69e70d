"""Forecasts to shrink towards, or to start from, before any data speaks."""

from __future__ import annotations

import torch
from torch import Tensor


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
