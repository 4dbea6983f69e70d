"""Tables: noisy-OR, noisy-AND, inhibitors, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import KnowledgeError
from knowledge_graph import JunctionTree, Network
from knowledge_graph.network import net_strength

PROBABILITY = st.floats(0, 1)


def probability_of(network: Network, node: str, present: dict[str, bool]) -> float:
    evidence = {name: np.array([[float(not there)], [float(there)]]) for name, there in present.items()}
    return float(JunctionTree(network).infer([node], priors=evidence).marginals[node][1, 0])


@settings(max_examples=25, deadline=None)
@given(links=st.lists(PROBABILITY, min_size=1, max_size=7), leak=PROBABILITY, data=st.data())
def test_noisy_or_is_its_formula_also_as_a_chain(links: list[float], leak: float, data: st.DataObject) -> None:
    named = {f"c{index}": link for index, link in enumerate(links)}
    present = {name: data.draw(st.booleans()) for name in named}
    network = Network()
    for name in named:
        network.add_root(name, 0.5)
    network.add_noisy_or("effect", named, leak)
    quiet = (1 - leak) * np.prod([1 - link for name, link in named.items() if present[name]])
    assert probability_of(network, "effect", present) == pytest.approx(1 - quiet, abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_noisy_and_needs_every_cause(count: int) -> None:
    links = {f"c{index}": 0.5 + 0.05 * index for index in range(count)}
    network = Network()
    for name in links:
        network.add_root(name, 0.5)
    network.add_noisy_and("effect", links, leak=0.01)
    for states in itertools.product([False, True], repeat=count):
        strength = float(np.prod(list(links.values()))) if all(states) else 0.0
        expected = 0.01 + 0.99 * strength
        found = probability_of(network, "effect", dict(zip(links, states, strict=True)))
        assert found == pytest.approx(expected, abs=1e-12)


def test_each_inhibitor_stops_its_share() -> None:
    network = Network()
    for name in ("cause", "pump", "gate"):
        network.add_root(name, 0.5)
    network.add_noisy_or("any", {"cause": 0.8}, 0.1)
    network.add_stops("risk", "any", {"pump": 0.5, "gate": 0.9})
    free = 1 - 0.9 * 0.2
    assert probability_of(network, "risk", {"cause": True, "pump": False, "gate": False}) == pytest.approx(free)
    assert probability_of(network, "risk", {"cause": True, "pump": True, "gate": True}) == pytest.approx(free * 0.05)


@given(compound=st.floats(0, 1), leak=st.floats(0, 0.99))
def test_the_compound_reading_is_what_comes_back(compound: float, leak: float) -> None:
    together = 1 - (1 - leak) * (1 - net_strength(compound, leak))
    assert together == pytest.approx(max(compound, leak), abs=1e-12)


@pytest.mark.parametrize(
    ("table", "parents", "message"),
    [
        ([0.5, 0.6], [], "no probabilities"),
        ([-0.5, 1.5], [], "no probabilities"),
        ([0.5, 0.5], ["nobody"], "unknown or repeated parents"),
        ([0.5, 0.5], ["a"], "has shape"),
        ([[0.5, 0.5]], ["a"], "has shape"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: list[float], parents: list[str], message: str) -> None:
    network = Network()
    network.add_root("a", 0.5)
    with pytest.raises(KnowledgeError, match=message):
        network.add("b", table, parents)


def test_a_name_twice_is_refused() -> None:
    network = Network()
    network.add_root("a", 0.5)
    with pytest.raises(KnowledgeError, match="stands twice"):
        network.add_root("a", 0.5)


def test_a_table_beyond_the_bound_is_refused() -> None:
    network = Network()
    for index in range(21):
        network.add_root(f"a{index}", 0.5)
    shape = (2,) * 21
    with pytest.raises(KnowledgeError, match="more than 2000000"):
        network.add("b", np.broadcast_to(np.array([0.5, 0.5]), (*shape, 2)), list(network.states))
