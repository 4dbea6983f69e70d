"""Many places under shared roots: one storm over the city, a million templates below it, exact.

Given the states of the shared roots the places are independent, so the joint posterior is a sum over those few states.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import KnowledgeError

from .junction import JunctionTree

Array = NDArray[np.float64]
MAXIMUM_SHARED_STATES = 256


@dataclass(frozen=True, slots=True)
class CityPosterior:
    """What is known of all places together.

    Attributes:
        shared: P(state of the shared roots | all evidence), one entry per joint state.
        states: the joint states, in the same order, as tuples in the order of the shared roots.
        given: P(risk at place | its evidence, joint state), shape ``(joint states, places)``.
    """

    shared: Array
    states: Sequence[tuple[int, ...]]
    given: Array

    @property
    def places(self) -> Array:
        """P(risk | all evidence) of each place, shape ``(places,)``."""
        return np.asarray(self.shared @ self.given)

    def any_of(self, places: NDArray[np.intp] | slice) -> float:
        """P(the risk at one of these places at least | all evidence): the roll-up to a street or a district.

        Places share their roots, so 1 - Π(1 - p) over the places' own probabilities would be wrong.
        """
        quiet = np.log1p(-np.minimum(self.given[:, places], 1 - 1e-16)).sum(axis=1)
        return float(self.shared @ -np.expm1(quiet))


def infer_city(
    tree: JunctionTree,
    risk: str,
    shared: Mapping[str, Array],
    likelihoods: Mapping[str, Array] | None = None,
    priors: Mapping[str, Array] | None = None,
    *,
    places: int,
) -> CityPosterior:
    """Infer a binary risk at every place under shared roots.

    Args:
        tree: the template of one place; the shared roots stand in it.
        risk: the node asked for.
        shared: shared root → its weights by state: prior times the likelihood of what is known of it, shape
            ``(states,)``.
        likelihoods: node → P(seen | state) at each place, shape ``(states, places)``.
        priors: root → its prior at each place, shape ``(states, places)``.
        places: how many.

    Raises:
        KnowledgeError: if the shared roots have too many joint states, or all evidence together is impossible.
    """
    sizes = [array.size for array in shared.values()]
    if int(np.prod(sizes)) > MAXIMUM_SHARED_STATES:
        message = f"The shared roots have {np.prod(sizes)} joint states; the bound is {MAXIMUM_SHARED_STATES}."
        raise KnowledgeError(message)
    clash = shared.keys() & ((likelihoods or {}).keys() | (priors or {}).keys())
    if clash:
        message = f"The shared roots {sorted(clash)} also have evidence at places. Put it into their shared weights."
        raise KnowledgeError(message)
    states = list(itertools.product(*(range(size) for size in sizes)))
    weights = np.empty(len(states))
    given = np.empty((len(states), places))
    for index, state in enumerate(states):
        fixed = {name: np.eye(array.size)[:, [at]] for (name, array), at in zip(shared.items(), state, strict=True)}
        found = tree.infer([risk], likelihoods, {**(priors or {}), **fixed}, batch=places)
        given[index] = found.marginals[risk][1]
        own = np.prod([array[at] for array, at in zip(shared.values(), state, strict=True)])
        with np.errstate(divide="ignore"):
            weights[index] = np.log(own) + found.log_likelihood.sum()
    highest = weights.max()
    if not np.isfinite(highest):
        message = "The evidence of all places together is impossible under every state of the shared roots."
        raise KnowledgeError(message)
    shared_posterior = np.exp(weights - highest)
    return CityPosterior(shared_posterior / shared_posterior.sum(), states, given)
