"""Which hours are disturbed, by a robust rule that has seen the train window alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .series import Series

SPREAD_PER_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class DisturbanceRule:
    """Readings further from the train window's median than a number of robust standard deviations.

    The median absolute deviation bears up to half of the readings being disturbed, so that the rule needs no labels.

    Attributes:
        centre: median of the train window, raw units.
        spread: 1.4826 times its median absolute deviation, raw units.
        threshold: how many spreads count as disturbed.
    """

    centre: float
    spread: float
    threshold: float

    @classmethod
    def fit(cls, values: NDArray[np.float32], threshold: float) -> DisturbanceRule:
        """Fit on the readings of the train window; NaN is left out."""
        known = values[np.isfinite(values)]
        centre = float(np.median(known)) if len(known) else 0.0
        spread = SPREAD_PER_MAD * float(np.median(np.abs(known - centre))) if len(known) else 0.0
        return cls(centre, spread, threshold)

    def disturbed(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which readings are disturbed; a missing one is not, nor is any where the spread is zero."""
        if self.spread == 0:
            return np.zeros(values.shape, dtype=np.bool_)
        return np.abs(values - self.centre) > self.threshold * self.spread

    def leave_out(self, series: Series) -> Series:
        """Return the series with disturbed readings as missing."""
        values = np.where(self.disturbed(series.values), np.float32(np.nan), series.values)
        return replace(series, values=values)
