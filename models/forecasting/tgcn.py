"""T-GCN: a gated recurrent unit whose gates see the network through a graph convolution, unrolled over the window.

Zhao et al., 2020, "T-GCN: A Temporal Graph Convolutional Network for Traffic Prediction".
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from contracts import ForecastSpec

from .forecaster import Batch, GradientForecaster
from .harmonics import StepHarmonics
from .losses import pinball_loss
from .network import NetworkOptions, adjacency, fill_network
from .scaling import window_mean, window_scale


class TGCNOptions(NetworkOptions):
    """Settings of T-GCN.

    Attributes:
        width: hidden units of each series.
        hour_harmonics: order of a daily profile of each series; needs a calendar. 0 leaves it out.
    """

    width: int = Field(default=64, ge=1)
    hour_harmonics: int = Field(default=0, ge=0, le=12)


class TGCN(GradientForecaster):
    """Graph convolution inside a gated recurrent unit; the forecast is the last reading and what the unit adds."""

    family = "tgcn"
    Settings = TGCNOptions
    takes_network = True

    laplacian: Tensor

    def __init__(self, spec: ForecastSpec, options: TGCNOptions) -> None:
        super().__init__(spec, options)
        links = adjacency(spec, options) + torch.eye(spec.series or 0)
        degree = links.sum(1).rsqrt()
        self.register_buffer("laplacian", degree[:, None] * links * degree)
        self.width = options.width
        self.gates = nn.Linear(1 + options.width, 2 * options.width)
        self.candidate = nn.Linear(1 + options.width, options.width)
        self.read = nn.Linear(options.width, spec.horizon * len(spec.quantiles))
        self.harmonics = StepHarmonics(spec, options.hour_harmonics)
        self.profile = nn.Parameter(torch.zeros(1 + 2 * options.hour_harmonics, spec.series or 0))
        nn.init.ones_(self.gates.bias)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, context: Tensor, calendar: Tensor | None = None, **_: Tensor | None) -> Tensor:
        """Return quantiles ``(batch, series, horizon, quantile)``; see :meth:`Forecaster.forward`."""
        filled = fill_network(context)
        whole = filled.flatten(1)
        mean, scale = window_mean(whole)[:, :, None], window_scale(whole)[:, :, None]  # (batch, 1, 1)
        readings = (filled - mean) / scale
        state = torch.zeros_like(readings[:, :, :1]).expand(-1, -1, self.width)
        for step in range(self.spec.context):
            state = self._step(readings[:, :, step, None], state)
        waves = self.harmonics(context, calendar)
        usual = (waves @ self.profile).transpose(1, 2)  # (batch, series, time + horizon)
        change = usual[:, :, self.spec.context :] - usual[:, :, self.spec.context - 1, None]
        point = (readings[:, :, -1:] + change)[..., None]
        added = self.read(state).reshape(-1, *readings.shape[1:2], self.spec.horizon, len(self.spec.quantiles))
        return (point + added).sort(3).values * scale[..., None] + mean[..., None]

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean pinball loss in units of each window's spread over the whole network."""
        unit = window_scale(batch.context.flatten(1))[:, :, None]
        return pinball_loss(self(**batch.inputs) / unit[..., None], batch.target / unit, self.levels)

    def _step(self, reading: Tensor, state: Tensor) -> Tensor:
        """Return the next state ``(batch, series, width)``."""
        seen = self.laplacian @ torch.cat([reading, state], 2)
        reset, update = torch.sigmoid(self.gates(seen)).chunk(2, 2)
        candidate = torch.tanh(self.candidate(self.laplacian @ torch.cat([reading, reset * state], 2)))
        return update * state + (1 - update) * candidate
