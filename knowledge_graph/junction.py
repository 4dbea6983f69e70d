"""Exact inference: a network compiled once to a junction tree, evaluated for whole batches with NumPy.

Lauritzen & Spiegelhalter (1988); triangulation by minimum fill; Hugin propagation. The batch is the last axis,
so that every multiplication and sum runs over contiguous memory. Messages are scaled as they go: no underflow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from contracts import KnowledgeError

from .network import Network

Array = NDArray[np.float64]
MAXIMUM_CELLS = 4_000_000
"""Treewidth budget: cells of all cliques together."""
_BATCH_CELLS = 1 << 16
"""Cells that one block of a batch may fill in the largest clique; half a MiB stays in the cache."""
_SMALLEST_BLOCK = 64
_LARGEST_BLOCK_CELLS = 1 << 22


@dataclass(slots=True)
class _Clique:
    nodes: tuple[str, ...]
    potential: Array  # (*states, 1): the product of the tables that are always the same
    parent: int = -1
    separator: tuple[str, ...] = ()
    owned: list[str] = field(default_factory=list)  # nodes whose evidence enters here
    children: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What inference found for a batch.

    Attributes:
        marginals: node → P(node | evidence), shape ``(states, batch)``; zeros where the evidence is impossible.
        log_likelihood: log P(evidence), shape ``(batch,)``; minus infinity where it is impossible.
    """

    marginals: Mapping[str, Array]
    log_likelihood: Array


class JunctionTree:
    """A network ready for exact inference.

    Args:
        network: the network.
        root: a node whose clique becomes the tree's root, so that its marginal needs one pass only.
        maximum_cells: budget for all cliques together.

    Raises:
        KnowledgeError: if the graph has a cycle or needs larger cliques than the budget allows.
    """

    def __init__(self, network: Network, *, root: str | None = None, maximum_cells: int = MAXIMUM_CELLS) -> None:
        self._states = dict(network.states)
        self._roots = {node: network.tables[node] for node in network.roots()}
        self._rank = {node: index for index, node in enumerate(network.states)}
        cliques = self._triangulate(network, maximum_cells)
        self._cliques = [_Clique(nodes, np.ones((*self._shape(nodes), 1))) for nodes in cliques]
        self._order = self._connect(root)
        self._multiply_tables(network)

    @property
    def cells(self) -> int:
        """Cells of all cliques together."""
        return sum(clique.potential.size for clique in self._cliques)

    @property
    def width(self) -> int:
        """Nodes of the largest clique, less one: the treewidth of the triangulation found."""
        return max(len(clique.nodes) for clique in self._cliques) - 1

    def infer(
        self,
        targets: Sequence[str],
        likelihoods: Mapping[str, Array] | None = None,
        priors: Mapping[str, Array] | None = None,
        *,
        batch: int = 1,
    ) -> Posterior:
        """Infer the targets for a batch of evidence.

        Args:
            targets: nodes whose marginals are asked for.
            likelihoods: node → P(seen | state), shape ``(states, batch)`` or ``(states, 1)``; a one-hot column is
                hard evidence, a column of ones none.
            priors: root → its prior in place of the network's own, same shapes.
            batch: cases.

        Raises:
            KnowledgeError: if a node is unknown, a prior is set on a node with parents, or a shape does not fit.
        """
        likelihoods, priors = likelihoods or {}, priors or {}
        self._check(targets, likelihoods, priors, batch)
        largest = max(clique.potential.size for clique in self._cliques)
        step = max(1, min(max(_SMALLEST_BLOCK, _BATCH_CELLS // largest), _LARGEST_BLOCK_CELLS // largest))
        marginals = {node: np.empty((self._states[node], batch)) for node in targets}
        log_likelihood = np.empty(batch)
        for start in range(0, batch, step):
            block = slice(start, min(start + step, batch))
            evidence = self._combine(likelihoods, priors, block)
            found, log_likelihood[block] = self._propagate(targets, evidence, block.stop - block.start)
            for node, marginal in found.items():
                marginals[node][:, block] = marginal
        return Posterior(marginals, log_likelihood)

    def _check(
        self, targets: Sequence[str], likelihoods: Mapping[str, Array], priors: Mapping[str, Array], batch: int
    ) -> None:
        unknown = sorted(({*targets} | likelihoods.keys() | priors.keys()) - self._states.keys())
        if unknown:
            message = f"Unknown nodes {unknown}. The graph has {len(self._states)} nodes; check the rule's names."
            raise KnowledgeError(message)
        inner = sorted(priors.keys() - self._roots.keys())
        if inner:
            message = f"A prior was set on {inner}, which have causes. Set priors on roots, or send a likelihood."
            raise KnowledgeError(message)
        for node, array in (*likelihoods.items(), *priors.items()):
            if array.shape not in {(self._states[node], batch), (self._states[node], 1)}:
                message = f"Evidence on {node!r} has shape {array.shape}, not ({self._states[node]}, {batch})."
                raise KnowledgeError(message)

    def _combine(self, likelihoods: Mapping[str, Array], priors: Mapping[str, Array], block: slice) -> dict[str, Array]:
        evidence = {
            node: _columns(priors[node], block) if node in priors else table[:, None]
            for node, table in self._roots.items()
        }
        for node, array in likelihoods.items():
            columns = _columns(array, block)
            evidence[node] = evidence[node] * columns if node in evidence else columns
        return evidence

    def _propagate(
        self, targets: Sequence[str], evidence: Mapping[str, Array], batch: int
    ) -> tuple[dict[str, Array], Array]:
        beliefs, messages, logarithm = self._collect(evidence, batch)
        wanted = self._cliques_of(targets)
        self._distribute(beliefs, messages, set(wanted.values()))
        found = {}
        for node in targets:
            clique = self._cliques[wanted[node]]
            axes = tuple(i for i, name in enumerate(clique.nodes) if name != node)
            marginal = beliefs[wanted[node]].sum(axis=axes)
            found[node] = np.broadcast_to(_normalised(marginal), (self._states[node], batch))
        return found, logarithm

    def _collect(self, evidence: Mapping[str, Array], batch: int) -> tuple[list[Array], list[Array | None], Array]:
        """Pass messages from the leaves to the root; return beliefs, messages and log P(evidence)."""
        beliefs: list[Array] = [clique.potential for clique in self._cliques]
        messages: list[Array | None] = [None] * len(self._cliques)
        logarithm = np.zeros(batch)
        for index in reversed(self._order):
            clique = self._cliques[index]
            factors = [self._spread(evidence[node], (node,), clique.nodes) for node in clique.owned if node in evidence]
            for child in clique.children:
                message = messages[child]
                if message is not None:
                    factors.append(self._spread(message, self._cliques[child].separator, clique.nodes))
            belief = _product(clique.potential, factors)
            outside = tuple(i for i, node in enumerate(clique.nodes) if node not in clique.separator)
            message = belief.sum(axis=outside)
            total = message.reshape(-1, message.shape[-1]).sum(axis=0)
            with np.errstate(divide="ignore"):
                logarithm = logarithm + np.log(total)
            scale = np.where(total > 0, total, 1.0)
            beliefs[index], messages[index] = belief / scale, message / scale
        return beliefs, messages, logarithm

    def _distribute(self, beliefs: list[Array], messages: list[Array | None], wanted: set[int]) -> None:
        """Pass messages from the root to every clique on the way to a wanted one."""
        needed = set(wanted)
        for index in reversed(self._order):
            if index in needed and self._cliques[index].parent >= 0:
                needed.add(self._cliques[index].parent)
        for index in self._order:
            clique = self._cliques[index]
            if index not in needed or clique.parent < 0:
                continue
            above = self._cliques[clique.parent]
            outside = tuple(i for i, node in enumerate(above.nodes) if node not in clique.separator)
            message, old = beliefs[clique.parent].sum(axis=outside), messages[index]
            if old is None:  # every clique sent its message while collecting
                continue
            ratio = np.divide(message, old, out=np.zeros(np.broadcast_shapes(message.shape, old.shape)), where=old > 0)
            beliefs[index] = beliefs[index] * self._spread(ratio, clique.separator, clique.nodes)

    def _cliques_of(self, targets: Sequence[str]) -> dict[str, int]:
        depth = {index: position for position, index in enumerate(self._order)}
        found = {}
        for node in targets:
            holding = [i for i, clique in enumerate(self._cliques) if node in clique.nodes]
            found[node] = min(holding, key=depth.__getitem__)
        return found

    def _spread(self, array: Array, nodes: Sequence[str], onto: Sequence[str]) -> Array:
        """Reshape an array over some nodes so that it broadcasts over a clique; both are in global order."""
        shape = [self._states[node] if node in nodes else 1 for node in onto]
        return array.reshape(*shape, array.shape[-1])

    def _shape(self, nodes: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._states[node] for node in nodes)

    def _triangulate(self, network: Network, maximum_cells: int) -> list[tuple[str, ...]]:
        graph = network.graph()
        if not nx.is_directed_acyclic_graph(graph):
            cycle = " → ".join(edge[0] for edge in nx.find_cycle(graph))
            message = f"The graph has the cycle {cycle}. Let a loop go through an earlier answer instead."
            raise KnowledgeError(message)
        neighbours: dict[str, set[str]] = {node: set() for node in graph}
        for node, parents in network.parents.items():
            family = {node, *parents}
            for member in family:
                neighbours[member] |= family - {member}
        return self._eliminate(neighbours, maximum_cells)

    def _eliminate(self, neighbours: dict[str, set[str]], maximum_cells: int) -> list[tuple[str, ...]]:
        """Eliminate nodes by least fill, then least cells; return the maximal cliques."""
        cliques: list[frozenset[str]] = []
        cells = 0
        fill = {node: _fill_of(node, neighbours) for node in neighbours}
        weight = {node: self._weight(node, neighbours) for node in neighbours}
        while neighbours:
            node = min(neighbours, key=lambda name: (fill[name], weight[name], self._rank[name]))
            around = neighbours.pop(node)
            del fill[node]
            touched = set(around)
            for member in around:
                touched |= neighbours[member]
                neighbours[member] |= around - {member}
                neighbours[member].discard(node)
            clique = frozenset({node, *around})
            if not any(clique <= other for other in cliques):
                cliques.append(clique)
                cells += int(np.prod([float(self._states[name]) for name in clique]))
            if cells > maximum_cells:
                message = (
                    f"Exact inference would need more than {maximum_cells} cells (a clique of {len(clique)} nodes). "
                    "Split the risk, or give nodes fewer parents."
                )
                raise KnowledgeError(message)
            for member in touched - {node}:
                fill[member] = _fill_of(member, neighbours)
                weight[member] = self._weight(member, neighbours)
        return [tuple(sorted(clique, key=self._rank.__getitem__)) for clique in cliques]

    def _weight(self, node: str, neighbours: Mapping[str, set[str]]) -> float:
        return math.prod((float(self._states[name]) for name in neighbours[node]), start=float(self._states[node]))

    def _connect(self, root_node: str | None) -> list[int]:
        """Join the cliques by a tree of largest separators; return them from the root down."""
        holding: dict[str, list[int]] = {}
        for index, clique in enumerate(self._cliques):
            for node in clique.nodes:
                holding.setdefault(node, []).append(index)
        edges: dict[tuple[int, int], int] = {}
        for indices in holding.values():
            for position, first in enumerate(indices):
                for second in indices[position + 1 :]:
                    edges[first, second] = edges.get((first, second), 0) + 1
        graph = nx.Graph()
        graph.add_nodes_from(range(len(self._cliques)))
        graph.add_weighted_edges_from((a, b, weight) for (a, b), weight in edges.items())
        tree = nx.maximum_spanning_tree(graph)
        components = [min(component) for component in nx.connected_components(tree)]
        tree.add_edges_from((components[0], other) for other in components[1:])
        root = components[0] if root_node is None else min(holding[root_node])
        for parent, child in nx.bfs_edges(tree, root):
            clique, above = self._cliques[child], self._cliques[parent]
            clique.parent = parent
            clique.separator = tuple(node for node in clique.nodes if node in above.nodes)
            above.children.append(child)
        return [root, *(child for _, child in nx.bfs_edges(tree, root))]

    def _multiply_tables(self, network: Network) -> None:
        members = [frozenset(clique.nodes) for clique in self._cliques]
        for node, table in network.tables.items():
            family = sorted({node, *network.parents[node]}, key=self._rank.__getitem__)
            holding = [clique for clique, nodes in zip(self._cliques, members, strict=True) if nodes.issuperset(family)]
            home = min(holding, key=lambda clique: clique.potential.size)
            home.owned.append(node)
            if network.parents[node]:  # a root's prior enters with the evidence, so that it can be replaced
                axes = [*network.parents[node], node]
                ordered = np.transpose(table, [axes.index(name) for name in family])
                home.potential = home.potential * self._spread(ordered[..., None], family, home.nodes)


def _fill_of(node: str, neighbours: Mapping[str, set[str]]) -> int:
    around = neighbours[node]
    size = len(around)
    linked = sum(len(neighbours[member] & around) for member in around)
    return (size * (size - 1) - linked) // 2


def _columns(array: Array, block: slice) -> Array:
    return array if array.shape[-1] == 1 else array[:, block]


def _product(potential: Array, factors: Sequence[Array]) -> Array:
    """Multiply, the small factors first, in place once the batch has its full size."""
    result = potential
    for factor in sorted(factors, key=lambda array: array.size):
        shape = np.broadcast_shapes(result.shape, factor.shape)
        if result is not potential and result.shape == shape:
            result *= factor
        else:
            result = result * factor
    return result


def _normalised(marginal: Array) -> Array:
    total = marginal.sum(axis=0)
    return np.asarray(marginal / np.where(total > 0, total, 1.0))
