"""Triangulation: from a network's graph to the cliques of a junction tree, as small as a few heuristics make them.

Finding the smallest is NP-hard. Each heuristic eliminates node after node, the cheapest first, by its own idea of cheap
(Kjærulff 1990); which of them wins depends on the network, so all are tried and the fewest cells are kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import networkx as nx

from contracts import KnowledgeError

from .network import Network

Neighbours = dict[str, set[str]]
_Cost = Callable[[str, Mapping[str, set[str]], Mapping[str, int]], float]


def find_cliques(network: Network, maximum_cells: int) -> list[tuple[str, ...]]:
    """Return the maximal cliques of a triangulation, each in the network's own order of nodes.

    Args:
        network: the network.
        maximum_cells: the treewidth budget: cells of all cliques together.

    Raises:
        KnowledgeError: if the graph has a cycle, or no heuristic stays within the budget.
    """
    graph = network.graph()
    if not nx.is_directed_acyclic_graph(graph):
        cycle = " → ".join(edge[0] for edge in nx.find_cycle(graph))
        message = f"The graph has the cycle {cycle}. Let a loop go through an earlier answer instead."
        raise KnowledgeError(message)
    states, moral = network.states, _moralise(network)
    best: tuple[int, list[frozenset[str]]] | None = None
    for costs in ((_fill, _weight), (_fill_weight, _weight), (_weight, _fill)):
        limit = maximum_cells if best is None else best[0] - 1
        found = _eliminate({node: set(around) for node, around in moral.items()}, states, costs, limit)
        best = found or best
    if best is None:
        message = (
            f"Exact inference would need more than {maximum_cells} cells, whichever way the graph is triangulated. "
            "Split the risk, or give nodes fewer parents."
        )
        raise KnowledgeError(message)
    rank = {node: index for index, node in enumerate(states)}
    return [tuple(sorted(clique, key=rank.__getitem__)) for clique in best[1]]


def _moralise(network: Network) -> Neighbours:
    neighbours: Neighbours = {node: set() for node in network.states}
    for node, parents in network.parents.items():
        family = {node, *parents}
        for member in family:
            neighbours[member] |= family - {member}
    return neighbours


def _eliminate(
    neighbours: Neighbours, states: Mapping[str, int], costs: tuple[_Cost, _Cost], limit: int
) -> tuple[int, list[frozenset[str]]] | None:
    """Eliminate every node, the cheapest first; return cells and maximal cliques, None beyond the limit."""
    first, second = costs
    order = {node: index for index, node in enumerate(neighbours)}
    price = {node: (first(node, neighbours, states), second(node, neighbours, states)) for node in neighbours}
    cliques: list[frozenset[str]] = []
    cells = 0
    while neighbours:
        node = min(price, key=lambda name: (*price[name], order[name]))
        del price[node]
        around = neighbours.pop(node)
        touched = set(around)
        for member in around:
            touched |= neighbours[member]
            neighbours[member] |= around - {member}
            neighbours[member].discard(node)
        clique = frozenset({node, *around})
        if not any(clique <= other for other in cliques):
            cliques.append(clique)
            cells += math.prod(states[name] for name in clique)
        if cells > limit:
            return None
        for member in touched - {node}:
            price[member] = (first(member, neighbours, states), second(member, neighbours, states))
    return cells, cliques


def _fill(node: str, neighbours: Mapping[str, set[str]], states: Mapping[str, int]) -> float:  # noqa: ARG001 - one shape
    """Count the edges that eliminating a node adds."""
    around = neighbours[node]
    size = len(around)
    linked = sum(len(neighbours[member] & around) for member in around)
    return (size * (size - 1) - linked) // 2


def _fill_weight(node: str, neighbours: Mapping[str, set[str]], states: Mapping[str, int]) -> float:
    """Weigh the edges that eliminating a node adds by the states at their ends."""
    return float(
        sum(
            states[first] * states[second]
            for first, second in itertools.combinations(neighbours[node], 2)
            if second not in neighbours[first]
        )
    )


def _weight(node: str, neighbours: Mapping[str, set[str]], states: Mapping[str, int]) -> float:
    """Count the cells of the clique that eliminating a node makes."""
    return math.prod((float(states[name]) for name in neighbours[node]), start=float(states[node]))
