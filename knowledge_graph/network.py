"""A Bayesian network of discrete nodes: a directed graph with one conditional table per node."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from contracts import KnowledgeError

Table = NDArray[np.float64]
MAXIMUM_TABLE_CELLS = 2_000_000
_TOLERANCE = 1e-6
# A noisy-OR of more parents than this is built as a chain, so that cliques stay small.
_CHAIN_ABOVE = 3


@dataclass(slots=True)
class Network:
    """Nodes with their states, parents and conditional tables.

    Attributes:
        states: node → number of states. State 0 of a binary node is "no", state 1 "yes".
        parents: node → its parents, in the order of the table's axes.
        tables: node → P(node | parents), axes ``(*parents, node)``.
    """

    states: dict[str, int] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)

    def add(self, node: str, table: ArrayLike, parents: Sequence[str] = ()) -> None:
        """Add a node with its table; its parents must have been added before, so that no cycle can arise.

        Raises:
            KnowledgeError: if the node is there already, a parent is unknown, or the table does not fit.
        """
        array = np.asarray(table, dtype=np.float64)
        if node in self.states:
            message = f"The node {node!r} stands twice in the graph. Give it another name."
            raise KnowledgeError(message)
        unknown = [parent for parent in parents if parent not in self.states]
        if unknown or len(set(parents)) != len(parents):
            message = f"The node {node!r} has unknown or repeated parents {list(parents)}. Add each parent first, once."
            raise KnowledgeError(message)
        shape = tuple(self.states[parent] for parent in parents)
        if array.ndim != len(shape) + 1 or array.shape[:-1] != shape or array.shape[-1] < 1:
            message = f"The table of {node!r} has shape {array.shape}; its parents ask for {shape} and its own states."
            raise KnowledgeError(message)
        if array.size > MAXIMUM_TABLE_CELLS:
            message = f"The table of {node!r} has {array.size} cells, more than {MAXIMUM_TABLE_CELLS}. Split the node."
            raise KnowledgeError(message)
        if not (array >= 0).all() or not np.allclose(array.sum(axis=-1), 1, rtol=0, atol=_TOLERANCE):
            message = f"The rows of the table of {node!r} are no probabilities. Let each row sum to one."
            raise KnowledgeError(message)
        self.states[node] = array.shape[-1]
        self.parents[node] = tuple(parents)
        self.tables[node] = array

    def add_root(self, node: str, probability: float) -> None:
        """Add a binary root that is true with this probability."""
        self.add(node, [1 - probability, probability])

    def add_noisy_or(self, node: str, links: Mapping[str, float], leak: float) -> None:
        """Add a binary effect that any of its binary causes may bring, each by itself (net semantics).

        P(yes | causes) = 1 - (1 - leak) Π over present causes of (1 - link). Pearl (1988), Henrion (1989).
        A long list becomes a chain of ORs, which is exact and keeps cliques at four nodes.

        Args:
            node: the effect.
            links: cause → probability that it alone brings the effect.
            leak: probability without any of them.
        """
        names = list(links)
        below: str | None = None
        while len(names) > _CHAIN_ABOVE - (below is not None):
            head, names = names[: _CHAIN_ABOVE - (below is not None)], names[_CHAIN_ABOVE - (below is not None) :]
            step = f"{node}~{len(names)}"
            self._add_or(step, head, links, leak=0.0, below=below)
            below = step
        self._add_or(node, names, links, leak=leak, below=below)

    def _add_or(
        self, node: str, names: Sequence[str], links: Mapping[str, float], *, leak: float, below: str | None
    ) -> None:
        parents = [*([below] if below else []), *names]
        strengths = [*([1.0] if below else []), *(links[name] for name in names)]
        self.add(node, or_table(strengths, leak), parents)

    def add_noisy_and(self, node: str, links: Mapping[str, float], leak: float) -> None:
        """Add a binary effect that needs all its binary causes.

        P(yes | causes) = leak + (1 - leak) Π link when all are present, else leak. A long list becomes a chain.
        """
        names = list(links)
        below: str | None = None
        while names:
            head, names = names[:_CHAIN_ABOVE], names[_CHAIN_ABOVE:]
            parents = [*([below] if below else []), *head]
            step = f"{node}~{len(names)}" if names else node
            strength = math.prod(links[name] for name in head)
            table = np.zeros((*(2 for _ in parents), 2))
            table[..., 1] = 0.0 if names else leak
            all_present = (1,) * len(parents)
            table[(*all_present, 1)] = strength if names else leak + (1 - leak) * strength
            table[..., 0] = 1 - table[..., 1]
            self.add(step, table, parents)
            below = step

    def add_stops(self, node: str, effect: str, stops: Mapping[str, float]) -> None:
        """Add a binary node that is true when the effect is and no present inhibitor stops it."""
        names = list(stops)
        current = effect
        for index, name in enumerate(names):
            last = index == len(names) - 1
            step = node if last else f"{node}~{name}"
            table = np.zeros((2, 2, 2))
            table[1, 0, 1] = 1.0
            table[1, 1, 1] = 1 - stops[name]
            table[..., 0] = 1 - table[..., 1]
            self.add(step, table, (current, name))
            current = step

    def add_indicator(self, node: str, of: str, *, seen: float, otherwise: float) -> None:
        """Add a binary sign: seen with one probability when its node is true, with another when it is not."""
        self.add(node, [[1 - otherwise, otherwise], [1 - seen, seen]], (of,))

    def graph(self) -> nx.DiGraph:
        """Return the directed graph."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.states)
        graph.add_edges_from((parent, node) for node, parents in self.parents.items() for parent in parents)
        return graph

    def roots(self) -> list[str]:
        """Return the nodes without parents."""
        return [node for node, parents in self.parents.items() if not parents]

    def relevant_to(self, nodes: Iterable[str]) -> set[str]:
        """Return these nodes and all their ancestors."""
        wanted, found = list(nodes), set()
        while wanted:
            node = wanted.pop()
            if node not in found:
                found.add(node)
                wanted.extend(self.parents[node])
        return found


def or_table(strengths: Sequence[float], leak: float) -> Table:
    """Return the table of a leaky noisy-OR, axes ``(*causes, effect)``."""
    quiet = np.full((2,) * len(strengths), 1 - leak)
    for axis, strength in enumerate(strengths):
        index = [slice(None)] * len(strengths)
        index[axis] = slice(1, 2)
        quiet[tuple(index)] *= 1 - strength
    return np.stack([quiet, 1 - quiet], axis=-1)


def net_strength(compound: float, leak: float) -> float:
    """Return a cause's own probability from the compound one: q = 1 - (1 - p) / (1 - leak)."""
    return 0.0 if compound <= leak else 1 - (1 - compound) / (1 - leak)
