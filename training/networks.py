"""Windows over all series of one network at once: the series lie on one grid, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from contracts import DataError, ForecastSpec, calendar_features
from models.forecasting import Batch

from .series import MILLISECONDS_PER_S, Series


class NetworkWindows:
    """Windows of a network in order, in batches; iterating again starts again.

    Args:
        series: on one grid: the same start, interval and length.
        spec: context, horizon, calendar; its ``series`` is how many there are.
        steps: step of the first target of each window, shape ``(window,)``.
        batch_size: windows in a batch.

    Raises:
        DataError: if the series do not lie on one grid, or a window leads out of it.
    """

    def __init__(
        self, series: Sequence[Series], spec: ForecastSpec, steps: NDArray[np.int64], batch_size: int = 64
    ) -> None:
        grids = {(one.start_ms, one.interval_s, len(one.values)) for one in series}
        if len(grids) != 1 or len(series) != spec.series:
            message = f"A network of {spec.series} series needs them on one grid, given {len(series)} on {len(grids)}."
            raise DataError(message)
        length = len(series[0].values)
        if len(steps) == 0 or steps.min() < spec.context or steps.max() > length - spec.horizon:
            message = f"Windows of {spec.context} + {spec.horizon} steps do not fit into {length}. Give longer series."
            raise DataError(message)
        self.spec = spec
        self.steps = steps
        self.batch_size = batch_size
        self._series = series
        values = torch.from_numpy(np.stack([one.values for one in series]))
        self._windows = values.unfold(1, spec.context + spec.horizon, 1).transpose(0, 1)  # (position, series, time)

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.steps)

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over all windows in order."""
        for start in range(0, len(self), self.batch_size):
            yield self.take(np.arange(start, min(start + self.batch_size, len(self))))

    def draw(self, generator: np.random.Generator) -> Batch:
        """Return one batch of windows drawn at random, with replacement."""
        return self.take(generator.integers(0, len(self), self.batch_size))

    def thinned(self, most: int, seed: int = 0) -> NetworkWindows:
        """Return at most so many of the windows, one drawn from each of equal stretches."""
        if len(self) <= most:
            return self
        edges = np.linspace(0, len(self), most + 1)
        drawn = (edges[:-1] + np.random.default_rng(seed).random(most) * np.diff(edges)).astype(np.int64)
        return NetworkWindows(self._series, self.spec, self.steps[drawn], self.batch_size)

    def take(self, numbers: NDArray[np.int64]) -> Batch:
        """Return windows by number; context ``(batch, series, time)``, target ``(batch, series, horizon)``."""
        steps = self.steps[numbers]
        windows = self._windows[torch.from_numpy(steps - self.spec.context)]
        context, target = windows[:, :, : self.spec.context], windows[:, :, self.spec.context :]
        if self.spec.calendar is None:
            return Batch(context, target)
        offsets = np.arange(-self.spec.context, self.spec.horizon)
        first = self._series[0]
        times_ms = first.start_ms + (steps[:, None] + offsets) * first.interval_s * MILLISECONDS_PER_S
        return Batch(context, target, torch.from_numpy(calendar_features(times_ms, self.spec.calendar)))
