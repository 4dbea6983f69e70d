"""Into and out of normalised units: the two ends of every neural family."""

from __future__ import annotations

from torch import Tensor, nn

from contracts import ForecastSpec

from .scaling import fill_gaps, mask_outliers, window_mean, window_scale


class WindowNormaliser(nn.Module):
    """Fills gaps, masks outliers and removes each window's own mean and spread (Kim et al., 2022, RevIN).

    Args:
        season: steps of a season, for filling gaps.
        guard: see :func:`mask_outliers`; None leaves every reading in.
    """

    def __init__(self, season: int | None = None, guard: float | None = None) -> None:
        super().__init__()
        self.season = season
        self.guard = guard

    def forward(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return readings ``(batch, time)`` in normalised units, mean ``(batch, 1)`` and spread ``(batch, 1)``."""
        guarded = context if self.guard is None else mask_outliers(context, self.guard)
        filled = fill_gaps(guarded, self.season)
        mean, scale = window_mean(filled), window_scale(filled)
        return (filled - mean) / scale, mean, scale


def order_quantiles(flat: Tensor, mean: Tensor, scale: Tensor, spec: ForecastSpec) -> Tensor:
    """Return ordered quantiles in raw units (Chernozhukov et al., 2010: rearranging never loses accuracy).

    Args:
        flat: shape ``(batch, horizon * quantile)``, normalised units.
        mean: shape ``(batch, 1)``.
        scale: shape ``(batch, 1)``.
        spec: gives horizon and quantiles.

    Returns:
        Shape ``(batch, horizon, quantile)``.
    """
    quantiles = flat.reshape(-1, spec.horizon, len(spec.quantiles))  # (batch, horizon, quantile)
    return quantiles.sort(2).values * scale[:, :, None] + mean[:, :, None]
