"""Forecasts that add up: how they are reconciled is chosen on the validation window and measured on another.

Signs and totals are forecast from the same origins, so that what is measured is what batch scoring would have written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts import DataError, Hierarchy, calendar_features, to_ms

from .dataset import Dataset
from .evaluation import Predict
from .recipe import Window
from .series import MILLISECONDS_PER_S, Series

METHODS = ("bottom_up", "wls_struct", "wls_var")
"""Signs are added up; errors are as large as what is added up is many; errors are as large as they were."""

MOST_ORIGINS = 100
_FEWEST_ORIGINS = 2
_BATCH = 1024
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Coherence:
    """How forecasts are reconciled.

    Attributes:
        hierarchy: with the weights of the chosen method.
        method: one of :data:`METHODS`.
        losses: method → mean over the levels of the reconciled error over the error before, on the validation window.
    """

    hierarchy: Hierarchy
    method: str
    losses: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class JointForecasts:
    """Medians of all nodes from the same origins, with what came; shape ``(origin, node, horizon)`` both."""

    median: NDArray[np.float32]
    actual: NDArray[np.float32]


def choose_coherence(dataset: Dataset, predict: Predict) -> Coherence:
    """Choose how a dataset's forecasts are reconciled.

    The first half of the validation window gives the variances that the second half judges; the chosen method's are
    then taken from all of it.

    Raises:
        DataError: if the dataset has no hierarchy, or its validation window holds fewer than two origins.
    """
    hierarchy = _hierarchy(dataset)
    joint = forecast_together(dataset, predict, dataset.recipe.windows.validation)
    half = len(joint.median) // 2
    if half < 1:
        message = "The validation window holds one origin, too few to choose how forecasts add up. Widen it."
        raise DataError(message)
    first = JointForecasts(joint.median[:half], joint.actual[:half])
    second = JointForecasts(joint.median[half:], joint.actual[half:])
    losses = {}
    for method in METHODS:
        figures = measure_levels(replace(hierarchy, weights=_weights(method, hierarchy, first)), second)
        losses[method] = float(np.mean([level["ratio"] for level in figures.values()]))
    best = min(METHODS, key=lambda method: losses[method])
    return Coherence(replace(hierarchy, weights=_weights(best, hierarchy, joint)), best, losses)


def measure_coherence(dataset: Dataset, predict: Predict, hierarchy: Hierarchy, window: Window) -> dict[str, float]:
    """Return figures of a window: of each level ``mae``, ``mae_before`` and ``ratio``; and ``incoherence_before``.

    ``incoherence_before`` is how far the totals' own forecasts lie from the sums of the signs', over their magnitude.
    """
    joint = forecast_together(dataset, predict, window)
    flat = {
        f"{level}.{name}": value
        for level, figures in measure_levels(hierarchy, joint).items()
        for name, value in figures.items()
    }
    count = len(hierarchy.signs)
    sums = np.einsum("ts,osh->oth", hierarchy.members.astype(np.float32), joint.median[:, :count])
    totals = joint.median[:, count:]
    return {**flat, "incoherence_before": float(np.nanmean(np.abs(totals - sums)) / np.nanmean(np.abs(totals)))}


def measure_levels(hierarchy: Hierarchy, joint: JointForecasts) -> dict[str, dict[str, float]]:
    """Return the error of each level before and after reconciling, over the same targets."""
    origins, nodes, horizon = joint.median.shape
    columns = joint.median.transpose(1, 0, 2).reshape(nodes, origins * horizon)  # all origins at once: one solution
    after = hierarchy.reconcile(columns).reshape(nodes, origins, horizon).transpose(1, 0, 2)
    errors = {"mae_before": np.abs(joint.actual - joint.median), "mae": np.abs(joint.actual - after)}
    judged = np.isfinite(errors["mae_before"])
    found = {}
    for level, rows in hierarchy.level_rows():
        kept = judged[:, rows]
        if not kept.any():
            continue
        figures = {name: float(error[:, rows][kept].mean()) for name, error in errors.items()}
        found[level] = {**figures, "ratio": figures["mae"] / max(figures["mae_before"], _TINY)}
    if not found:
        message = "No target of the window can be judged at any level. Widen it."
        raise DataError(message)
    return found


def forecast_together(dataset: Dataset, predict: Predict, window: Window) -> JointForecasts:
    """Forecast all series of a dataset from the same origins, spread evenly over a window.

    Raises:
        DataError: if the window holds no origin.
    """
    spec, series = dataset.recipe.spec, dataset.series
    interval_ms = spec.interval_s * MILLISECONDS_PER_S
    grid = series[-1]  # a total: it spans all signs
    first, end = max(grid.step(to_ms(window.start)), 1), grid.step(to_ms(window.end)) - spec.horizon
    if first > end:
        message = f"The window of {window.start.isoformat()} holds no origin of {spec.horizon} steps. Widen it."
        raise DataError(message)
    most = dataset.recipe.evaluation.targets // (spec.horizon * len(series))
    count = min(end - first + 1, max(_FEWEST_ORIGINS, min(most, MOST_ORIGINS)))
    middle, medians, actuals = spec.quantiles.index(0.5), [], []
    for step in np.unique(np.linspace(first, end, count).astype(np.int64)):
        target_ms = grid.start_ms + int(step) * interval_ms
        cuts = np.stack([_cut(one, target_ms, spec.context, spec.horizon) for one in series])
        contexts = np.ascontiguousarray(cuts[:, : spec.context])
        feeds = {"context": contexts}
        if spec.calendar is not None:
            times_ms = target_ms + np.arange(-spec.context, spec.horizon) * interval_ms
            features = calendar_features(times_ms, spec.calendar)
            feeds["calendar"] = np.broadcast_to(features, (len(series), *features.shape))
        median = _ask(predict, feeds)[:, :, middle]
        median[np.isfinite(contexts).sum(1) < spec.minimum_observed] = np.nan
        medians.append(median)
        actuals.append(cuts[:, spec.context :])
    return JointForecasts(np.stack(medians), np.stack(actuals))


def _ask(predict: Predict, feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    rows = len(feeds["context"])
    parts = [
        predict({name: np.ascontiguousarray(array[start : start + _BATCH]) for name, array in feeds.items()})
        for start in range(0, rows, _BATCH)
    ]
    return np.concatenate(parts)


def _cut(series: Series, target_ms: int, context: int, horizon: int) -> NDArray[np.float32]:
    """Return the readings around an origin, NaN where the series does not reach, shape ``(context + horizon,)``."""
    cut = np.full(context + horizon, np.nan, np.float32)
    start = series.step(target_ms) - context
    low, high = max(start, 0), min(start + len(cut), len(series.values))
    if low < high:
        cut[low - start : high - start] = series.values[low:high]
    return cut


def _weights(method: str, hierarchy: Hierarchy, joint: JointForecasts) -> NDArray[np.float64]:
    count, summed = len(hierarchy.signs), hierarchy.members.sum(1)
    if method == "bottom_up":
        return np.concatenate([np.zeros(count), np.ones(len(summed))])
    structural = np.concatenate([np.ones(count), summed]).astype(np.float64)
    if method == "wls_struct":
        return structural
    squared = (joint.actual - joint.median).astype(np.float64) ** 2
    judged = np.isfinite(squared)
    variance = np.where(judged, squared, 0).sum((0, 2)) / np.maximum(judged.sum((0, 2)), 1)
    typical = np.median((variance / structural)[variance > 0]) if (variance > 0).any() else 1.0
    # A node that was never judged, or never wrong, is as sure as is usual for one of its size.
    return np.where(variance > 0, variance, typical * structural)


def _hierarchy(dataset: Dataset) -> Hierarchy:
    if dataset.hierarchy is None:
        message = f"The recipe {dataset.recipe.name!r} has no [hierarchy]. Add one."
        raise DataError(message)
    return dataset.hierarchy
