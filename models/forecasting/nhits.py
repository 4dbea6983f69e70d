"""N-HiTS: stacks that read the window at falling coarseness and forecast at rising resolution.

Challu et al., 2023, "NHITS: Neural Hierarchical Interpolation for Time Series Forecasting". Each block explains a part
of the window (its backcast) and hands the rest on.
"""

from __future__ import annotations

import itertools

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from contracts import ForecastSpec

from .neural import NeuralForecaster, NeuralOptions


class NHitsOptions(NeuralOptions):
    """Settings of N-HiTS.

    Attributes:
        pooling: steps that each block's input is max-pooled over, coarse to fine; one block each.
        width: hidden units.
        depth: hidden layers of a block.
        dropout: share of hidden units that are silenced in fitting.
    """

    pooling: tuple[int, ...] = Field(default=(8, 4, 1), min_length=1)
    width: int = Field(default=128, ge=1)
    depth: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class NHits(NeuralForecaster):
    """Blocks one behind another; the forecast is the sum of theirs and the last reading."""

    family = "nhits"
    Settings = NHitsOptions

    def __init__(self, spec: ForecastSpec, options: NHitsOptions) -> None:
        super().__init__(spec, options)
        self.blocks = nn.ModuleList(Block(spec, options, steps) for steps in options.pooling)

    def body(self, readings: Tensor) -> Tensor:
        """See :meth:`NeuralForecaster.body`."""
        last = readings[:, -1:]
        rest, forecast = readings - last, last
        for block in self.blocks:
            backcast, part = block(rest)
            rest, forecast = rest - backcast, forecast + part
        return forecast


class Block(nn.Module):
    """Max-pooling, dense layers, and coefficients that are interpolated over window and horizon.

    Args:
        spec: context, horizon and quantiles.
        options: width and depth.
        pooling: steps that the input is pooled over; as many steps share one coefficient.
    """

    grid: Tensor
    past_grid: Tensor

    def __init__(self, spec: ForecastSpec, options: NHitsOptions, pooling: int) -> None:
        super().__init__()
        self.pooling = pooling
        self.padding = -spec.context % pooling
        self.quantiles = len(spec.quantiles)
        self.register_buffer("grid", interpolation(-(-spec.horizon // pooling), spec.horizon), persistent=False)
        self.register_buffer("past_grid", interpolation(-(-spec.context // pooling), spec.context), persistent=False)
        widths = [(spec.context + self.padding) // pooling, *[options.width] * options.depth]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(options.dropout)]
        self.layers = nn.Sequential(*layers)
        self.backcast = nn.Linear(options.width, self.past_grid.shape[0])
        self.forecast = nn.Linear(options.width, self.grid.shape[0] * self.quantiles)

    def forward(self, readings: Tensor) -> tuple[Tensor, Tensor]:
        """Return backcast ``(batch, time)`` and forecast ``(batch, horizon * quantile)``."""
        padded = functional.pad(readings[:, None], (self.padding, 0), mode="replicate")
        pooled = functional.max_pool1d(padded, self.pooling, self.pooling)[:, 0]  # (batch, time / pooling)
        hidden = self.layers(pooled)
        coefficients = self.forecast(hidden).reshape(-1, self.quantiles, self.grid.shape[0])
        forecast = (coefficients @ self.grid).transpose(1, 2)  # (batch, horizon, quantile)
        return self.backcast(hidden) @ self.past_grid, forecast.flatten(1)


def interpolation(knots: int, steps: int) -> Tensor:
    """Return the matrix ``(knots, steps)`` that draws lines between equally spaced knots."""
    if knots == 1:
        return torch.ones(1, steps)
    position = torch.linspace(0, knots - 1, steps)
    return (1 - (position - torch.arange(knots)[:, None]).abs()).clamp(min=0)
