"""Quantiles around a point forecast: empirical residuals for each step of the horizon."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts import ForecastSpec, ModelError


class ResidualQuantiles(nn.Module):
    """Adds the empirical quantiles of past errors to a point forecast.

    The offsets are kept for each step of the horizon, in raw units or in units of each window's spread.

    Args:
        spec: horizon and quantiles.
        rows: series of a network, each with offsets of its own; None where there is no such axis.
    """

    offsets: Tensor

    def __init__(self, spec: ForecastSpec, rows: int | None = None) -> None:
        super().__init__()
        self.levels = spec.quantiles
        lead = () if rows is None else (rows,)
        self.register_buffer("offsets", torch.zeros(*lead, spec.horizon, len(spec.quantiles)))

    def fit(self, errors: Tensor, *, centred: bool = False) -> None:
        """Take the quantiles of errors.

        Args:
            errors: actual less forecast, shape ``(windows, horizon)``, or ``(windows, series, horizon)`` of a network;
                NaN is left out.
            centred: leave the middle line where the point forecast is, so that it stays the mean that least squares
                fitted and takes over no drift of the validation window.

        Raises:
            ModelError: if a step of the horizon has no finite error.
        """
        if not torch.isfinite(errors).any(0).all():
            message = "A step of the horizon has no observed target. Widen the train or validation window."
            raise ModelError(message)
        levels = torch.tensor(self.levels, dtype=errors.dtype)
        offsets = errors.nanquantile(levels, 0).movedim(0, -1)  # (..., horizon, quantile)
        if centred:
            # Lines that would cross the middle one stop there.
            middle = torch.sign(levels - 0.5)
            offsets = torch.where(middle < 0, offsets.clamp(max=0), torch.where(middle > 0, offsets.clamp(min=0), 0.0))
        self.offsets.copy_(offsets)

    def forward(self, point: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return quantiles ``(batch, horizon, quantile)`` around a point ``(batch, horizon)``, or a network's."""
        offsets = self.offsets[None] if scale is None else self.offsets[None] * scale[:, :, None]
        return point[..., None] + offsets
