"""What families for networks share: edges as matrices, gaps filled along time and then from the rest of the network."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from contracts import ForecastSpec, ModelError

from .forecaster import Options
from .scaling import fill_gaps


class NetworkOptions(Options):
    """Settings that every network family has.

    Attributes:
        edges: (from, to, weight) of each link by the numbers of the series; a link of one direction stands once.
    """

    edges: tuple[tuple[int, int, float], ...] = Field(min_length=1)


def adjacency(spec: ForecastSpec, options: NetworkOptions) -> Tensor:
    """Return the weights of the links, shape ``(series, series)``: row i holds what reaches series i. No self-links.

    Raises:
        ModelError: if an edge leads out of the network or its weight is not positive.
    """
    count = spec.series or 0
    wrong = [edge for edge in options.edges if not (min(edge[:2]) >= 0 and max(edge[:2]) < count and edge[2] > 0)]
    if wrong:
        message = f"The edges {wrong[:3]} do not join series 0 to {count - 1} with a positive weight. Repair them."
        raise ModelError(message)
    matrix = torch.zeros(count, count)
    for source, target, weight in options.edges:
        if source != target:
            matrix[target, source] = weight
    return matrix


def fill_network(context: Tensor) -> Tensor:
    """Fill missing readings of a network.

    A series with any reading is filled along time; one with none stands at the mean of the others, step by step.

    Args:
        context: shape ``(batch, series, time)``, NaN where missing.

    Returns:
        The same shape; NaN only where a window holds no reading at all.
    """
    series, time = context.shape[1], context.shape[2]
    filled = fill_gaps(context.reshape(-1, time)).reshape(-1, series, time)
    known = ~torch.isnan(filled)
    total = torch.where(known, filled, 0.0).sum(1, keepdim=True)
    mean = total / known.sum(1, keepdim=True).to(total.dtype)
    return torch.where(known, filled, mean)
