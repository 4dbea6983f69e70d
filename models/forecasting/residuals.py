"""Quantiles around a point forecast: empirical residuals for each step of the horizon."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts import ForecastSpec, ModelError


class ResidualQuantiles(nn.Module):
    """Adds the empirical quantiles of past errors to a point forecast.

    The offsets are kept for each step of the horizon, in raw units or in units of each window's spread.
    """

    offsets: Tensor

    def __init__(self, spec: ForecastSpec) -> None:
        super().__init__()
        self.levels = spec.quantiles
        self.register_buffer("offsets", torch.zeros(spec.horizon, len(spec.quantiles)))

    def fit(self, errors: Tensor) -> None:
        """Take the quantiles of errors.

        Args:
            errors: actual less forecast, shape ``(windows, horizon)``; NaN is left out.

        Raises:
            ModelError: if a step of the horizon has no finite error.
        """
        if not torch.isfinite(errors).any(0).all():
            message = "A step of the horizon has no observed target. Widen the train or validation window."
            raise ModelError(message)
        levels = torch.tensor(self.levels, dtype=errors.dtype)
        self.offsets.copy_(errors.nanquantile(levels, 0).T)

    def forward(self, point: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return quantiles ``(batch, horizon, quantile)`` around a point ``(batch, horizon)``."""
        offsets = self.offsets[None] if scale is None else self.offsets[None] * scale[:, :, None]
        return point[:, :, None] + offsets
