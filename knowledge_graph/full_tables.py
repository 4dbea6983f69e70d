"""Full conditional tables from what rule files say: a row for each combination, or causes ranked by weight."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .authoring import RankedWords, TableRowWords
from .network import Table

MAXIMUM_CAUSES = 10
"""A full table doubles with each cause."""
_SAMPLES = 5
"""Points of each parent's interval at which a ranked node's mean is taken."""


def full_table(causes: Sequence[str], rows: Sequence[TableRowWords], leak: float) -> Table:
    """Return P(risk | causes), axes ``(*causes, risk)``, from one row for each combination that has a cause.

    A combination without a row claims what the leak claims; the checks refuse it before.
    """
    table = np.empty((2,) * len(causes) + (2,))
    table[..., 1] = leak
    for row in rows:
        state = tuple(int(name in row.when) for name in causes)
        table[(*state, 1)] = row.yes / row.of
    table[..., 0] = 1 - table[..., 1]
    return table


def missing_rows(causes: Sequence[str], rows: Sequence[TableRowWords]) -> list[tuple[str, ...]]:
    """Return the combinations of causes that have no row."""
    told = {frozenset(row.when) for row in rows}
    every = itertools.product((False, True), repeat=len(causes))
    named = (tuple(name for name, there in zip(causes, state, strict=True) if there) for state in every)
    return [names for names in named if names and frozenset(names) not in told]


def ranked_risk(weights: Sequence[float], leak: float, ranked: RankedWords) -> Table:
    """Return P(risk | causes) of causes ranked by weight, axes ``(*causes, risk)``.

    Cause and risk are ranked nodes of two ranks; without any cause only the leak is left, and with some of them
    P = 1 - (1 - leak)(1 - ranked), so that the leak stays what it says.
    """
    own = ranked_table([2] * len(weights), 2, weights=weights, spread=ranked.spread, mean=ranked.mean)[..., 1]
    none = own[(0,) * len(weights)]
    lifted = np.clip((own - none) / (1 - none), 0.0, 1.0)
    yes = 1 - (1 - leak) * (1 - lifted)
    return np.stack([1 - yes, yes], axis=-1)


def ranked_table(
    ranks: Sequence[int], own_ranks: int, *, weights: Sequence[float], spread: float, mean: str = "weighted"
) -> Table:
    """Return the table of a ranked node, axes ``(*parents, node)``.

    Each node's ranks divide [0, 1] evenly. For points spread over the parents' intervals the node follows a normal of
    the weighted mean truncated to [0, 1]; its mass on each of its own intervals is averaged over the points.
    Fenton, Neil and Caballero (2007), "Using ranked nodes to model qualitative judgments in Bayesian networks".

    Args:
        ranks: how many ranks each parent has.
        own_ranks: how many the node has.
        weights: of the parents, positive.
        spread: standard deviation on the scale [0, 1].
        mean: ``weighted`` (WMEAN), ``least`` (WMIN) or ``most`` (WMAX) of the parents.
    """
    edges = np.linspace(0, 1, own_ranks + 1)
    table = np.empty((*ranks, own_ranks))
    weight = np.asarray(weights, dtype=np.float64)
    for state in np.ndindex(*ranks):
        points = [(rank + (np.arange(_SAMPLES) + 0.5) / _SAMPLES) / of for rank, of in zip(state, ranks, strict=True)]
        grid = np.stack(points)  # (parents, samples): parents move together through their intervals
        table[state] = np.mean([_masses(centre, spread, edges) for centre in _means(grid, weight, mean)], axis=0)
    return table


def _means(values: NDArray[np.float64], weights: NDArray[np.float64], mean: str) -> NDArray[np.float64]:
    """Return the mean at each sample, shape ``(samples,)``, of values ``(parents, samples)``."""
    if mean == "weighted" or len(weights) == 1:
        return np.asarray(weights @ values / weights.sum())
    total = values.sum(axis=0)
    scaled = weights[:, None]
    each = (scaled * values + (total - values)) / (scaled + len(weights) - 1)
    return np.asarray(each.min(axis=0) if mean == "least" else each.max(axis=0))


def _masses(centre: float, spread: float, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mass of a normal truncated to [0, 1] between neighbouring edges."""
    below = np.array([0.5 * (1 + math.erf((edge - centre) / (spread * math.sqrt(2)))) for edge in edges])
    masses = np.diff(below)
    return np.asarray(masses / masses.sum())
