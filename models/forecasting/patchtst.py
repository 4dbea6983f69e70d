"""PatchTST, small: attention over patches of the window.

Nie et al., 2023, "A Time Series is Worth 64 Words: Long-term Forecasting with Transformers".
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from contracts import ForecastSpec, ModelError

from .neural import NeuralForecaster, NeuralOptions


class PatchTSTOptions(NeuralOptions):
    """Settings of PatchTST.

    Attributes:
        patch: steps of a patch.
        stride: steps between patches.
        width: size of a patch's embedding.
        heads: attention heads; they divide the width.
        depth: layers.
        dropout: share of units that are silenced in fitting.
    """

    patch: int = Field(default=16, ge=1)
    stride: int = Field(default=8, ge=1)
    width: int = Field(default=32, ge=1)
    heads: int = Field(default=4, ge=1)
    depth: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)


class PatchTST(NeuralForecaster):
    """Patches are embedded, attend to each other, and are read out together."""

    family = "patchtst"
    Settings = PatchTSTOptions

    def __init__(self, spec: ForecastSpec, options: PatchTSTOptions) -> None:
        super().__init__(spec, options)
        _check_options(spec, options)
        # The end is repeated by one stride, as in the paper, so that the newest readings stand in a patch of their own.
        self.padding = options.stride
        patches = (spec.context + self.padding - options.patch) // options.stride + 1
        self.embed = nn.Conv1d(1, options.width, options.patch, options.stride)
        self.position = nn.Parameter(0.02 * torch.randn(patches, options.width))
        self.layers = nn.Sequential(*(Layer(options) for _ in range(options.depth)))
        self.readout = nn.Linear(patches * options.width, spec.horizon * len(spec.quantiles))
        self.dropout = nn.Dropout(options.dropout)

    def body(self, readings: Tensor) -> Tensor:
        """See :meth:`NeuralForecaster.body`."""
        padded = functional.pad(readings[:, None], (0, self.padding), mode="replicate")
        patches = self.embed(padded).transpose(1, 2)  # (batch, patch, width)
        hidden = self.layers(self.dropout(patches + self.position))
        return self.readout(self.dropout(hidden.flatten(1)))


class Layer(nn.Module):
    """Attention and a dense network, each around a carried input.

    Args:
        options: width, heads and dropout.
    """

    def __init__(self, options: PatchTSTOptions) -> None:
        super().__init__()
        self.heads = options.heads
        self.before_attention, self.before_dense = nn.LayerNorm(options.width), nn.LayerNorm(options.width)
        self.project = nn.Linear(options.width, 3 * options.width)
        self.join = nn.Linear(options.width, options.width)
        self.dense = nn.Sequential(
            nn.Linear(options.width, 2 * options.width), nn.GELU(), nn.Linear(2 * options.width, options.width)
        )
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, patches: Tensor) -> Tensor:
        """Return ``(batch, patch, width)`` from the same shape."""
        patches = patches + self.dropout(self._attend(self.before_attention(patches)))
        return patches + self.dropout(self.dense(self.before_dense(patches)))

    def _attend(self, patches: Tensor) -> Tensor:
        count, width = patches.shape[1], patches.shape[2]
        shape = (-1, count, self.heads, width // self.heads)
        query, key, value = (
            part.reshape(shape).transpose(1, 2) for part in self.project(patches).chunk(3, 2)
        )  # (batch, head, patch, width / head)
        weight = (query @ key.transpose(2, 3) * (width // self.heads) ** -0.5).softmax(3)
        return self.join((weight @ value).transpose(1, 2).reshape(-1, count, width))


def _check_options(spec: ForecastSpec, options: PatchTSTOptions) -> None:
    if options.patch > spec.context + options.stride:
        message = f"A patch of {options.patch} steps does not fit into a context of {spec.context}. Shorten it."
        raise ModelError(message)
    if options.width % options.heads:
        message = f"width {options.width} must be a multiple of heads {options.heads}."
        raise ModelError(message)
