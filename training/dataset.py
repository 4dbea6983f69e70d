"""A recipe's data, cut into its four windows: what is fitted, what chooses, what decides, what is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from contracts import DataError, Hierarchy, to_ms

from .covariates import Covariates
from .disturbance import DisturbanceRule
from .recipe import Recipe, Window
from .series import Series
from .sources import read_series
from .totals import build_hierarchy, total_series
from .windows import SeriesBuffer, WindowBatches


@dataclass(frozen=True)
class Dataset:
    """Series of a recipe with the disturbed hours found.

    Attributes:
        recipe: says what is cut where.
        series: as measured; where the recipe has a hierarchy, its totals come last.
        rules: one disturbance rule for each series, fitted on its train window; empty when the recipe has none.
        hierarchy: how the series add up; None where the recipe says nothing of it.
        covariates: what is known beside the readings; None where the recipe has none.
    """

    recipe: Recipe
    series: tuple[Series, ...]
    rules: tuple[DisturbanceRule, ...]
    hierarchy: Hierarchy | None = None
    covariates: Covariates | None = None

    @classmethod
    def read(cls, recipe: Recipe) -> Dataset:
        """Read a recipe's source.

        Raises:
            DataError: if it cannot be read, or is too short for a window.
        """
        return cls.of(recipe, read_series(recipe.data, recipe.folder))

    @classmethod
    def of(cls, recipe: Recipe, series: Sequence[Series]) -> Dataset:
        """Take series that are already in memory; totals are added where the recipe has a hierarchy.

        Raises:
            ConfigurationError: if the recipe's hierarchy does not fit the series.
            DataError: if its covariates do not.
        """
        hierarchy = None
        if recipe.hierarchy is not None:
            hierarchy = build_hierarchy(recipe, recipe.hierarchy, series)
            series = [*series, *total_series(hierarchy, series)]
        threshold, train = recipe.disturbance.threshold, recipe.windows.train
        rules = () if threshold is None else tuple(_fit_rule(one, train, threshold) for one in series)
        return cls(recipe, tuple(series), rules, hierarchy, Covariates.read(recipe, series))

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of all series and covariates."""
        digest = hashlib.sha256("".join(one.fingerprint() for one in self.series).encode())
        if self.covariates is not None:
            digest.update(self.covariates.fingerprint().encode())
        return digest.hexdigest()

    @cached_property
    def measured(self) -> SeriesBuffer:
        """Readings as measured: what a running model sees."""
        return SeriesBuffer(self.series, self.recipe.spec, self.covariates)

    @cached_property
    def undisturbed(self) -> SeriesBuffer:
        """Readings with the disturbed hours left out: what is fitted and judged."""
        if not self.rules:
            return self.measured
        kept = [rule.leave_out(one) for rule, one in zip(self.rules, self.series, strict=True)]
        return SeriesBuffer(kept, self.recipe.spec, self.covariates)

    def train(self, batch_size: int = 1024) -> WindowBatches:
        """Windows for fitting, disturbed hours left out of contexts and targets.

        Going through them passes ``[fitting].windows`` of them at most; drawing reaches all.
        """
        settings = self.recipe.fitting
        windows = self._batches(self.undisturbed, self.recipe.windows.train, batch_size)
        return windows.thinned(settings.windows, settings.seed)

    def validation(self) -> WindowBatches:
        """Windows for choosing, disturbed hours left out likewise."""
        return self._judged(self.undisturbed, self.recipe.windows.validation)

    def gate(self) -> WindowBatches:
        """Windows for deciding: contexts as measured, disturbed targets left out."""
        return self._judged(self.measured, self.recipe.windows.gate)

    def report(self) -> WindowBatches:
        """Windows for telling: contexts as measured, disturbed targets left out. Log each opening."""
        return self._judged(self.measured, self.recipe.windows.report)

    def _judged(self, contexts: SeriesBuffer, window: Window) -> WindowBatches:
        most = max(self.recipe.evaluation.targets // self.recipe.spec.horizon, 1)
        return self._batches(contexts, window).thinned(most)

    def _batches(self, contexts: SeriesBuffer, window: Window, batch_size: int = 1024) -> WindowBatches:
        origins = contexts.origins(to_ms(window.start), to_ms(window.end))
        if not origins:
            spec = self.recipe.spec
            message = (
                f"The data has no window of {spec.horizon} steps between {window.start.isoformat()} and "
                f"{window.end.isoformat()}. Move the recipe's windows or give more data."
            )
            raise DataError(message)
        return WindowBatches(contexts, self.undisturbed, origins, batch_size)


def _fit_rule(series: Series, train: Window, threshold: float) -> DisturbanceRule:
    first, end = max(series.step(to_ms(train.start)), 0), max(series.step(to_ms(train.end)), 0)
    return DisturbanceRule.fit(np.asarray(series.values[first:end]), threshold)
