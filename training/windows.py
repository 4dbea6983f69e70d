"""Windows over many series without a copy: one buffer, strided views, batches drawn from positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contracts import DataError, ForecastSpec, calendar_features
from models.forecasting import Batch

from .covariates import Covariates
from .series import MILLISECONDS_PER_S, Series


@dataclass(frozen=True, slots=True)
class Origins:
    """A range of forecast origins in one series.

    Attributes:
        series: index of the series.
        first: step of the first target of the first window.
        last: step of the first target of the last window, inclusive.
    """

    series: int
    first: int
    last: int

    def __len__(self) -> int:
        """Return the number of windows."""
        return max(0, self.last - self.first + 1)


class SeriesBuffer:
    """All series behind each other in one float32 buffer, each after a pad of missing readings.

    The pad lets a window begin before its series does, so that a new sign is forecast from its first readings on.

    Args:
        series: unequal lengths are welcome.
        spec: context and horizon.
        covariates: what is known beside the readings; None for nothing.
    """

    def __init__(self, series: Sequence[Series], spec: ForecastSpec, covariates: Covariates | None = None) -> None:
        if not series:
            message = "There are no series to take windows from. Check the recipe's data section."
            raise DataError(message)
        self.series = tuple(series)
        self.spec = spec
        self.covariates = covariates
        self.starts_ms = np.array([one.start_ms for one in series], dtype=np.int64)
        pad = np.full(spec.context, np.nan, dtype=np.float32)
        parts = [part for one in series for part in (pad, one.values)]
        tail = np.full(spec.horizon, np.nan, dtype=np.float32)
        self.values = torch.from_numpy(np.concatenate([*parts, tail]))
        lengths = np.array([len(one.values) + spec.context for one in series])
        self.offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        """Window position of series s at first-target step k is ``offsets[s] + k``."""

    def windows(self) -> Tensor:
        """Every window as a strided view, shape ``(position, context + horizon)``."""
        return self.values.unfold(0, self.spec.context + self.spec.horizon, 1)

    def origins(self, start_ms: int, end_ms: int, *, whole_context: bool = False) -> list[Origins]:
        """Return the origins whose targets all lie in a stretch of time.

        Args:
            start_ms: first instant of the targets.
            end_ms: first instant after the targets.
            whole_context: whether the context must lie inside the stretch as well.
        """
        found = []
        for index, one in enumerate(self.series):
            first = max(one.step(start_ms), 0) + (self.spec.context if whole_context else 0)
            last = min(one.step(end_ms), len(one.values)) - self.spec.horizon
            found.append(Origins(index, max(first, 1), last))
        return [origins for origins in found if len(origins)]


class WindowBatches:
    """Windows in order, in batches; iterating again starts again.

    Args:
        contexts: readings that contexts are taken from.
        targets: readings that targets are taken from: the same series, some readings perhaps left out.
        origins: which windows.
        batch_size: windows in a batch.
        sample: numbers of the windows that are kept, increasing, shape ``(window,)``; None for all.
    """

    def __init__(
        self,
        contexts: SeriesBuffer,
        targets: SeriesBuffer,
        origins: Sequence[Origins],
        batch_size: int = 1024,
        *,
        sample: NDArray[np.int64] | None = None,
    ) -> None:
        self.spec = contexts.spec
        self.batch_size = batch_size
        self._buffer = contexts
        self._parts = (contexts, targets, tuple(origins))
        self._sample = sample
        self._context_values, self._target_values = contexts.values, targets.values
        self._contexts = contexts.windows()
        self._targets = targets.windows()
        lengths = np.array([len(one) for one in origins], dtype=np.int64)
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        self._first_steps = np.array([one.first for one in origins], dtype=np.int64)
        self._series = np.array([one.series for one in origins], dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of windows."""
        return self.population if self._sample is None else len(self._sample)

    @property
    def population(self) -> int:
        """How many windows there are, those that a sample leaves out included."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def thinned(self, most: int, seed: int = 0) -> WindowBatches:
        """Return at most so many of the windows, one drawn from each of equal stretches, so even over signs and time.

        Args:
            most: how many at most.
            seed: of the draw.
        """
        count = len(self)
        if count <= most:
            return self
        edges = np.linspace(0, count, most + 1)
        drawn = edges[:-1] + np.random.default_rng(seed).random(most) * np.diff(edges)
        numbers = drawn.astype(np.int64)
        sample = numbers if self._sample is None else self._sample[numbers]
        return WindowBatches(*self._parts, self.batch_size, sample=sample)

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over all windows in order."""
        for start in range(0, len(self), self.batch_size):
            yield self.take(np.arange(start, min(start + self.batch_size, len(self))))

    def draw(self, generator: np.random.Generator) -> Batch:
        """Return one batch drawn at random, with replacement, of all windows: a sample is for going through them."""
        return self._take(*self._places(generator.integers(0, self.population, self.batch_size)))

    def positions(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return series index and step of the first target of windows by number."""
        if self._sample is not None:
            numbers = self._sample[numbers]
        return self._places(numbers)

    def _places(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        which = np.searchsorted(self._ends, numbers, side="right")
        return self._series[which], self._first_steps[which] + numbers - self._starts[which]

    def calm_contexts(self) -> Iterator[NDArray[np.float32]]:
        """Iterate over the contexts of the batches with what the targets leave out as missing."""
        for start in range(0, len(self), self.batch_size):
            series, steps = self.positions(np.arange(start, min(start + self.batch_size, len(self))))
            rows = torch.from_numpy(self._buffer.offsets[series] + steps)
            yield self._targets[rows, : self.spec.context].numpy()

    def disturbed_origins(self) -> NDArray[np.bool_]:
        """Return which windows start from a reading that the targets leave out, shape ``(window,)``."""
        series, steps = self.positions(np.arange(len(self)))
        last = torch.from_numpy(self._buffer.offsets[series] + steps + self.spec.context - 1)
        return (torch.isfinite(self._context_values[last]) & torch.isnan(self._target_values[last])).numpy()

    def take(self, numbers: NDArray[np.int64]) -> Batch:
        """Return windows by number."""
        return self._take(*self.positions(numbers))

    def _take(self, series: NDArray[np.int64], steps: NDArray[np.int64]) -> Batch:
        rows = torch.from_numpy(self._buffer.offsets[series] + steps)
        beside: dict[str, Tensor] = {}
        if self.spec.calendar is not None or self._buffer.covariates is not None:
            times_ms = self._times_ms(series, steps)
            if self.spec.calendar is not None:
                beside["calendar"] = torch.from_numpy(calendar_features(times_ms, self.spec.calendar))
            if self._buffer.covariates is not None:
                beside |= self._buffer.covariates.tensors(series, times_ms)
        return Batch(self._contexts[rows, : self.spec.context], self._targets[rows, self.spec.context :], **beside)

    def _times_ms(self, series: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the event times of windows, shape ``(batch, context + horizon)``."""
        offsets = np.arange(-self.spec.context, self.spec.horizon)
        starts = self._buffer.starts_ms[series]
        times: NDArray[np.int64] = starts[:, None] + (steps[:, None] + offsets) * (
            self.spec.interval_s * MILLISECONDS_PER_S
        )
        return times
