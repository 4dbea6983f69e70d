"""Signs that add up, forecast together: from one origin, with their totals, so that the medians sum over the places."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import Array, Hierarchy

from .contexts import Contexts
from .scorer import Scorer

BATCH = 1024


@dataclass(frozen=True, slots=True, eq=False)
class JointForecast:
    """Forecasts of a hierarchy.

    Attributes:
        nodes: ids of signs and totals that were forecast.
        values: shape ``(node, horizon, quantile)``; the medians add up, and each node's other quantiles lie as far from
            its median as its model put them.
        blind: sign → how many readings it has in its context: too few, so that it counts with its usual magnitude.
    """

    nodes: list[str]
    values: Array
    blind: dict[str, int]


def forecast_together(
    contexts: Contexts, scorer: Scorer, hierarchy: Hierarchy, origin_ms: int, known: Collection[str]
) -> JointForecast:
    """Forecast the signs of a hierarchy and their totals from one origin, and reconcile them.

    Args:
        contexts: the readings.
        scorer: forecasts all nodes.
        hierarchy: its release's.
        origin_ms: event time of the last step of each context.
        known: signs that the readings hold; the others count as missing.
    """
    signs = [sign for sign in hierarchy.signs if sign in known]
    rows = np.full((len(hierarchy.signs), scorer.spec.context), np.nan, np.float32)
    at = [number for number, sign in enumerate(hierarchy.signs) if sign in known]
    rows[at] = contexts.read(signs, np.full(len(signs), origin_ms, np.int64), scorer)
    rows = np.concatenate([rows, hierarchy.add_up(rows)])
    observed = np.isfinite(rows).sum(1)
    usable = np.flatnonzero(observed >= scorer.spec.minimum_observed)
    shape = (len(rows), scorer.spec.horizon, len(scorer.spec.quantiles))
    values = np.full(shape, np.nan, np.float32)
    for start in range(0, len(usable), BATCH):
        chosen = usable[start : start + BATCH]
        names = [hierarchy.nodes[number] for number in chosen]
        values[chosen] = scorer.forecast(names, rows[chosen], np.full(len(chosen), origin_ms, np.int64))
    median = values[:, :, scorer.spec.quantiles.index(0.5)]
    moved = values + (hierarchy.reconcile(median) - median)[:, :, None]
    blind = {hierarchy.nodes[number]: int(observed[number]) for number in np.setdiff1d(np.arange(len(rows)), usable)}
    shown: NDArray[np.float32] = moved[usable].astype(np.float32)
    return JointForecast([hierarchy.nodes[number] for number in usable], shown, blind)
