"""Inference by enumeration: slow, plain and independent of the junction tree, to check it against."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from knowledge_graph import Network

Array = NDArray[np.float64]


def enumerate_posteriors(
    network: Network, likelihoods: Mapping[str, Array], priors: Mapping[str, Array], batch: int
) -> tuple[dict[str, Array], Array]:
    """Return P(node | evidence) of every node and P(evidence), by summing over all states of all nodes."""
    names = list(network.states)
    sums = {node: np.zeros((network.states[node], batch)) for node in names}
    evidence = np.zeros(batch)
    for states in itertools.product(*(range(network.states[node]) for node in names)):
        at = dict(zip(names, states, strict=True))
        weight = np.ones(batch)
        for node in names:
            table = network.tables[node][tuple(at[parent] for parent in network.parents[node])]
            weight = weight * (priors[node][at[node]] if node in priors else table[at[node]])
            if node in likelihoods:
                weight = weight * likelihoods[node][at[node]]
        evidence += weight
        for node in names:
            sums[node][at[node]] += weight
    return {node: total / evidence for node, total in sums.items()}, evidence
