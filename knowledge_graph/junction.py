"""Exact inference: a network compiled once to a junction tree, evaluated for whole batches with NumPy.

Lauritzen & Spiegelhalter (1988); Hugin propagation. The batch is the last axis, so that every multiplication and sum
runs over contiguous memory. A clique's axes begin with what it does not share with its parent, so that its message is
a sum over leading axes. Messages are scaled as they go: no underflow.

Two speeds. Where all that varies within a batch touches either a clique's own nodes or its separator's, but never both
at once, the clique's message is a matrix product and its belief is never written out. BLAS may round a case differently
in batches of different sizes; a tree made with ``bitwise=True`` does without, adds in a fixed order, and gives the same
case the same bits whatever it is batched with: a backtest of a million cases then equals what was said live.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from contracts import KnowledgeError

from .network import Network
from .triangulation import find_cliques

Array = NDArray[np.float64]
MAXIMUM_CELLS = 20_000_000
"""Treewidth budget: cells of all cliques together, 160 MB. A rule needs hundreds; the network *barley* 17 million."""
_BATCH_CELLS = 1 << 18
"""Cells that one block of a batch may fill in the largest clique; two MiB stay in the cache."""
_SMALLEST_BLOCK = 64
_LARGEST_BLOCK_CELLS = 1 << 22
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True)
class _Factor:
    """What enters a clique: a node's evidence, or a child's message.

    Attributes:
        node: whose evidence; empty for a message.
        child: whose message; -1 for evidence.
        outer: whether a split clique multiplies it onto its message instead of into its own nodes.
        shape: its states along each of the clique's axes, 1 where it does not speak of one.
    """

    node: str
    child: int
    outer: bool
    shape: tuple[int, ...]


@dataclass(slots=True)
class _Clique:
    """One clique.

    Attributes:
        own: nodes that the parent does not have, the leading axes.
        separator: nodes shared with the parent, the trailing axes, in the parent's order.
        potential: the product of the tables that are always the same, axes ``(*own, *separator, 1)``.
        parent: index of the parent; -1 for the root.
        evidence: nodes whose evidence enters here.
        children: indices.
        split: whether its message is a matrix product: no factor touches own nodes and separator both.
        factors: what enters it, in a fixed order.
        above: which of the parent's arrays holds the separator, and the axes to sum out of it.
    """

    own: tuple[str, ...]
    separator: tuple[str, ...]
    potential: Array
    parent: int = -1
    evidence: list[str] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    split: bool = False
    factors: list[_Factor] = field(default_factory=list)
    above: tuple[str, tuple[int, ...]] = ("belief", ())

    @property
    def nodes(self) -> tuple[str, ...]:
        """All its nodes, in the order of its axes."""
        return (*self.own, *self.separator)

    def holding(self, part: str) -> tuple[str, ...]:
        """Return the nodes of one of the arrays that a propagation holds for it."""
        if part == "shared":
            return self.separator
        return self.own if self.split else self.nodes


@dataclass(slots=True)
class _Held:
    """What one propagation holds for a clique.

    Attributes:
        belief: joint over all nodes, or over the own nodes of a split clique.
        outer: a split clique's factors over the separator; None for none.
        message: what was sent to the parent, scaled to sum to one.
        sent: the same unscaled, as the belief still is.
        shared: joint over the separator, once the parent has answered.
    """

    belief: Array
    outer: Array | None
    message: Array
    sent: Array
    shared: Array

    def part(self, name: str) -> Array:
        """Return one of the joints."""
        return self.shared if name == "shared" else self.belief


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
        bitwise: give a case the same bits in every batch; without it, matrix products make large batches faster.

    Raises:
        KnowledgeError: if the graph has a cycle or needs larger cliques than the budget allows.
    """

    def __init__(
        self,
        network: Network,
        *,
        root: str | None = None,
        maximum_cells: int = MAXIMUM_CELLS,
        bitwise: bool = False,
    ) -> None:
        self._states = dict(network.states)
        self._roots = {node: network.tables[node] for node in network.roots()}
        self._bitwise = bitwise
        self._order: list[int] = []
        self._cliques = self._connect(find_cliques(network, maximum_cells), root)
        self._multiply_tables(network)
        for clique in self._cliques:
            clique.split = not bitwise and bool(clique.separator) and self._is_split(clique)
        for clique in self._cliques:
            self._plan(clique)
        self._sources = {node: self._source_of(node) for node in self._states}

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
        threads: int = 1,
    ) -> Posterior:
        """Infer the targets for a batch of evidence.

        Args:
            targets: nodes whose marginals are asked for.
            likelihoods: node → P(seen | state), shape ``(states, batch)`` or ``(states, 1)``; a one-hot column is
                hard evidence, a column of ones none.
            priors: root → its prior in place of the network's own, same shapes.
            batch: cases.
            threads: blocks of the batch that are worked on at once.

        Raises:
            KnowledgeError: if a node is unknown, a prior is set on a node with parents, or a shape does not fit.
        """
        likelihoods, priors = likelihoods or {}, priors or {}
        self._check(targets, likelihoods, priors, batch)
        largest = max(clique.potential.size for clique in self._cliques)
        step = max(1, min(max(_SMALLEST_BLOCK, _BATCH_CELLS // largest), _LARGEST_BLOCK_CELLS // largest))
        step = max(1, math.ceil(batch / (threads * math.ceil(max(batch, 1) / step / threads))))  # blocks of one size
        marginals = {node: np.empty((self._states[node], batch)) for node in targets}
        log_likelihood = np.empty(batch)

        def work(start: int) -> None:
            block = slice(start, min(start + step, batch))
            evidence = self._combine(likelihoods, priors, block)
            found, log_likelihood[block] = self._propagate(targets, evidence, block.stop - block.start)
            for node, marginal in found.items():
                marginals[node][:, block] = marginal

        starts = range(0, batch, step)
        if threads > 1 and len(starts) > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, starts))
        else:
            for start in starts:
                work(start)
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
        held, logarithm = self._collect(evidence, batch)
        sources = {node: self._sources[node] for node in targets}
        self._distribute(held, {index for index, _, _ in sources.values()})
        found = {
            node: np.broadcast_to(self._sum(held[index].part(part), axes), (self._states[node], batch))
            for node, (index, part, axes) in sources.items()
        }
        return found, logarithm

    def _collect(self, evidence: Mapping[str, Array], batch: int) -> tuple[dict[int, _Held], Array]:
        """Pass messages from the leaves to the root; return what each clique holds, and log P(evidence)."""
        held: dict[int, _Held] = {}
        logarithm = np.zeros(batch)
        for index in reversed(self._order):
            clique = self._cliques[index]
            inner: list[Array] = []
            outer: list[Array] = []
            for factor in clique.factors:
                array = evidence.get(factor.node) if factor.node else held[factor.child].message
                if array is not None:
                    (outer if factor.outer else inner).append(array.reshape(*factor.shape, -1))
            sent = self._send_split(clique, inner, outer) if clique.split else self._send(clique, inner)
            total = self._sum(sent.message.reshape(-1, sent.message.shape[-1]), (0,))
            with np.errstate(divide="ignore"):
                logarithm += np.log(total)
            scale = np.maximum(total, _TINY)
            sent.message = sent.message / scale
            if clique.parent < 0:
                sent.belief = sent.belief / scale
            held[index] = sent
        return held, logarithm

    def _send(self, clique: _Clique, inner: Sequence[Array]) -> _Held:
        belief = _product([clique.potential, *inner])
        message = self._sum(belief, range(len(clique.own)))
        return _Held(belief, None, message, message, message)

    def _send_split(self, clique: _Clique, inner: Sequence[Array], outer: Sequence[Array]) -> _Held:
        own, shared = self._shape(clique.own), self._shape(clique.separator)
        belief = _product([np.ones((*own, 1)), *inner] if len(own) > 1 or not inner else inner)
        matrix = clique.potential.reshape(math.prod(own), math.prod(shared))
        message = (matrix.T @ belief.reshape(len(matrix), -1)).reshape(*shared, -1)
        around = _product(outer) if outer else None
        message = message if around is None else message * around
        return _Held(belief, around, message, message, message)

    def _distribute(self, held: Mapping[int, _Held], wanted: set[int]) -> None:
        """Pass messages from the root to every clique on the way to a wanted one."""
        needed = set(wanted)
        for index in reversed(self._order):
            if index in needed and self._cliques[index].parent >= 0:
                needed.add(self._cliques[index].parent)
        for index in self._order:
            clique, mine = self._cliques[index], held[index]
            if index not in needed or clique.parent < 0:
                continue
            part, axes = clique.above
            mine.shared = self._sum(held[clique.parent].part(part), axes)
            ratio = mine.shared / np.maximum(mine.sent, _TINY)  # where the message is zero, the joint is
            if clique.split:
                weights = ratio if mine.outer is None else ratio * mine.outer
                matrix = clique.potential.reshape(-1, math.prod(self._shape(clique.separator)))
                answer = matrix @ weights.reshape(matrix.shape[1], -1)
                mine.belief = mine.belief * answer.reshape(*self._shape(clique.own), -1)
            else:
                mine.belief = mine.belief * ratio

    def _sum(self, array: Array, axes: Iterable[int]) -> Array:
        """Sum over axes; bit by bit the same for every length of the last axis where that was asked for."""
        if not self._bitwise:
            return np.asarray(array.sum(axis=tuple(axes)))
        for axis in sorted(axes, reverse=True):
            first, *others = np.moveaxis(array, axis, 0)
            for part in others:
                first = first + part
            array = first
        return array

    def _spread(self, nodes: Iterable[str], onto: Sequence[str]) -> tuple[int, ...]:
        """Return the shape in which an array over some nodes, in the same order, broadcasts over others."""
        known = set(nodes)
        return tuple(self._states[node] if node in known else 1 for node in onto)

    def _shape(self, nodes: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._states[node] for node in nodes)

    def _scopes(self, clique: _Clique) -> list[tuple[str, int, set[str]]]:
        """Return the evidence and the messages that enter a clique, and the nodes they speak of."""
        evidence = [(node, -1, {node}) for node in clique.evidence]
        return evidence + [("", child, set(self._cliques[child].separator)) for child in clique.children]

    def _is_split(self, clique: _Clique) -> bool:
        own, shared = set(clique.own), set(clique.separator)
        return all(scope <= own or scope <= shared for _, _, scope in self._scopes(clique))

    def _plan(self, clique: _Clique) -> None:
        """Write down shapes and axes once, so that a propagation only multiplies and sums."""
        own = set(clique.own)
        for node, child, scope in self._scopes(clique):
            outer = clique.split and not scope <= own
            onto = clique.separator if outer else clique.holding("belief")
            clique.factors.append(_Factor(node, child, outer, self._spread(scope, onto)))
        if clique.parent >= 0:
            above = self._cliques[clique.parent]
            part = "belief" if set(clique.separator) <= set(above.holding("belief")) else "shared"
            nodes = above.holding(part)
            clique.above = part, tuple(i for i, node in enumerate(nodes) if node not in clique.separator)

    def _source_of(self, node: str) -> tuple[int, str, tuple[int, ...]]:
        """Return the joint that gives a node's marginal with least work, and the axes to sum out of it.

        One at the root needs no messages back; elsewhere the smallest is best.
        """
        found: list[tuple[bool, int, int, int, str]] = []
        for depth, index in enumerate(self._order):
            for part in ("belief", "shared"):
                nodes = self._cliques[index].holding(part)
                if node in nodes:
                    found.append((depth > 0, math.prod(self._shape(nodes)), depth, index, part))
        _, _, _, index, part = min(found)
        nodes = self._cliques[index].holding(part)
        return index, part, tuple(axis for axis, name in enumerate(nodes) if name != node)

    def _connect(self, cliques: list[tuple[str, ...]], root_node: str | None) -> list[_Clique]:
        """Join the cliques by a tree of largest separators, and order their axes from the root down."""
        tree = _spanning_tree(cliques)
        root = 0 if root_node is None else next(i for i, nodes in enumerate(cliques) if root_node in nodes)
        joined: dict[int, _Clique] = {root: _Clique(cliques[root], (), np.ones((*self._shape(cliques[root]), 1)))}
        for parent, child in nx.bfs_edges(tree, root):
            above = joined[parent]
            separator = tuple(node for node in above.nodes if node in cliques[child])
            own = tuple(node for node in cliques[child] if node not in separator)
            joined[child] = _Clique(own, separator, np.ones((*self._shape((*own, *separator)), 1)), parent)
            above.children.append(child)
        self._order = list(joined)
        return [joined[index] for index in range(len(cliques))]

    def _multiply_tables(self, network: Network) -> None:
        members = [frozenset(clique.nodes) for clique in self._cliques]
        for node, table in network.tables.items():
            axes = [*network.parents[node], node]
            holding = [clique for clique, nodes in zip(self._cliques, members, strict=True) if nodes.issuperset(axes)]
            home = min(holding, key=lambda clique: clique.potential.size)
            home.evidence.append(node)
            if network.parents[node]:  # a root's prior enters with the evidence, so that it can be replaced
                family = [name for name in home.nodes if name in axes]
                ordered = np.transpose(table, [axes.index(name) for name in family])
                home.potential = home.potential * ordered.reshape(*self._spread(family, home.nodes), 1)


def _spanning_tree(cliques: Sequence[tuple[str, ...]]) -> nx.Graph:
    """Return a tree of largest separators; parts that share nothing are joined by empty ones."""
    holding: dict[str, list[int]] = {}
    for index, clique in enumerate(cliques):
        for node in clique:
            holding.setdefault(node, []).append(index)
    edges: dict[tuple[int, int], int] = {}
    for indices in holding.values():
        for position, first in enumerate(indices):
            for second in indices[position + 1 :]:
                edges[first, second] = edges.get((first, second), 0) + 1
    graph = nx.Graph()
    graph.add_nodes_from(range(len(cliques)))
    graph.add_weighted_edges_from((a, b, weight) for (a, b), weight in edges.items())
    tree = nx.maximum_spanning_tree(graph)
    components = [min(component) for component in nx.connected_components(tree)]
    tree.add_edges_from((components[0], other) for other in components[1:])
    return tree


def _columns(array: Array, block: slice) -> Array:
    return array if array.shape[-1] == 1 else array[:, block]


def _product(factors: Sequence[Array]) -> Array:
    """Multiply from left to right, in place once the result has its full size."""
    result, *others = factors
    fresh = False
    for factor in others:
        shape = np.broadcast_shapes(result.shape, factor.shape)
        if fresh and result.shape == shape:
            result *= factor
        else:
            result, fresh = result * factor, True
    return result
