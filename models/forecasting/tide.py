"""TiDE: dense residual blocks beside a linear path from window to horizon.

Das et al., 2023, "Long-term Forecasting with TiDE: Time-series Dense Encoder". Ours keeps the linear path, the dense
encoder and the dense decoder; covariates enter by the profile that all neural families share.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from contracts import ForecastSpec

from .neural import NeuralForecaster, NeuralOptions


class TideOptions(NeuralOptions):
    """Settings of TiDE.

    Attributes:
        width: hidden units.
        depth: residual blocks between encoder and decoder.
        dropout: share of hidden units that are silenced in fitting.
    """

    width: int = Field(default=128, ge=1)
    depth: int = Field(default=1, ge=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class Tide(NeuralForecaster):
    """A linear path, and dense residual blocks for what is not linear."""

    family = "tide"
    Settings = TideOptions

    def __init__(self, spec: ForecastSpec, options: TideOptions) -> None:
        super().__init__(spec, options)
        outputs = spec.horizon * len(spec.quantiles)
        self.straight = self.linear_path()
        self.encoder = nn.Sequential(nn.Linear(spec.context, options.width), nn.ReLU(), nn.Dropout(options.dropout))
        self.blocks = nn.Sequential(*(ResidualBlock(options.width, options.dropout) for _ in range(options.depth)))
        self.decoder = nn.Linear(options.width, outputs)
        # Fitting starts from the linear path alone.
        nn.init.zeros_(self.decoder.weight)
        nn.init.zeros_(self.decoder.bias)

    def body(self, readings: Tensor) -> Tensor:
        """See :meth:`NeuralForecaster.body`."""
        return self.straight(readings) + self.decoder(self.blocks(self.encoder(readings)))


class ResidualBlock(nn.Module):
    """A dense layer around which its input is carried.

    Args:
        width: units.
        dropout: share of units that are silenced in fitting.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return ``(batch, width)`` from ``(batch, width)``."""
        return hidden + self.layers(hidden)
