"""Forecasters made of forecasters; the whole still exports to one graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from contracts import ForecastSpec

from .forecaster import Batch, Batches, Forecaster, Options


class MemberOptions(BaseModel):
    """One member: a family with its options.

    Attributes:
        family: its name.
        options: its settings.
        copies: how many are made, each fitted from a seed of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    options: dict[str, Any] = Field(default_factory=dict)
    copies: int = Field(default=1, ge=1)


class CompositeOptions(Options):
    """Settings of a forecaster made of others.

    Attributes:
        members: what it is made of.
    """

    members: tuple[MemberOptions, ...] = Field(min_length=1)


class DrawnBatches(Protocol):
    """Windows that can be gone through in order and drawn at random."""

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over all windows in order."""

    def draw(self, generator: np.random.Generator) -> Batch:
        """Return one batch of windows drawn at random."""

    def thinned(self, most: int, seed: int = 0) -> DrawnBatches:
        """Return at most so many of the windows, spread evenly."""


class CompositeForecaster(Forecaster):
    """Base of forecasters made of others; members are fitted one after another, each in its own way.

    Args:
        spec: context, horizon, quantiles and covariates.
        options: the family's settings.
        members: built, unfitted.
    """

    Settings = CompositeOptions
    takes_covariates = True

    def __init__(self, spec: ForecastSpec, options: CompositeOptions, members: Sequence[Forecaster]) -> None:
        super().__init__(spec, options)
        self.members = nn.ModuleList(members)

    def adapt(self, batch: Batch) -> Batch:
        """Return a batch as the members see it: as it is, unless the family changes it."""
        return batch

    def settle(self, validation: Batches) -> None:
        """Fit what is the composite's own, its members being fitted; nothing, unless the family has something."""

    def describe(self) -> dict[str, float | int | str]:
        """Return what the members chose, each name with its member's number before it."""
        return {
            f"{number}.{name}": value
            for number, member in enumerate(self.members)
            for name, value in member.describe().items()
        }


class AdaptedBatches(Iterable[Batch]):
    """Windows as the members of a composite see them."""

    def __init__(self, composite: CompositeForecaster, batches: DrawnBatches) -> None:
        self._composite = composite
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over all windows in order."""
        for batch in self._batches:
            yield self._composite.adapt(batch)

    def draw(self, generator: np.random.Generator) -> Batch:
        """Return one batch of windows drawn at random."""
        return self._composite.adapt(self._batches.draw(generator))

    def thinned(self, most: int, seed: int = 0) -> AdaptedBatches:
        """Return at most so many of the windows, spread evenly."""
        return AdaptedBatches(self._composite, self._batches.thinned(most, seed))
