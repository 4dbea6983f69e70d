"""Exact inference against enumeration, and its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import KnowledgeError
from knowledge_graph import JunctionTree, Network

from .brute_force import enumerate_posteriors

BATCH = 4


def random_network(seed: int, nodes: int) -> Network:
    """Return a random graph of nodes with two or three states and up to three parents."""
    random = np.random.default_rng(seed)
    network = Network()
    for index in range(nodes):
        names = list(network.states)
        count = int(random.integers(0, min(len(names), 3) + 1))
        parents = [str(name) for name in random.choice(names, size=count, replace=False)] if count else []
        shape = tuple(network.states[parent] for parent in parents)
        table = random.dirichlet(np.ones(int(random.integers(2, 4))), size=shape)
        network.add(f"n{index}", table, parents)
    return network


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), nodes=st.integers(1, 8))
def test_posteriors_equal_enumeration(seed: int, nodes: int) -> None:
    network = random_network(seed, nodes)
    random = np.random.default_rng(seed + 1)
    names = list(network.states)
    likelihoods = {
        str(name): random.uniform(0.01, 1, size=(network.states[name], BATCH))
        for name in random.choice(names, size=min(2, nodes), replace=False)
    }
    root = network.roots()[0]
    priors = {root: random.dirichlet(np.ones(network.states[root]), size=BATCH).T}
    expected, evidence = enumerate_posteriors(network, likelihoods, priors, BATCH)
    found = JunctionTree(network).infer(names, likelihoods, priors, batch=BATCH)
    for node in names:
        np.testing.assert_allclose(found.marginals[node], expected[node], atol=1e-12)
    np.testing.assert_allclose(found.log_likelihood, np.log(evidence), atol=1e-10)


def test_any_node_may_be_the_root() -> None:
    network = random_network(3, 8)
    plain = JunctionTree(network).infer(["n7"]).marginals["n7"]
    for root in network.states:
        np.testing.assert_allclose(JunctionTree(network, root=root).infer(["n7"]).marginals["n7"], plain, atol=1e-14)


def test_a_batch_of_many_blocks_is_the_same_as_one_case() -> None:
    network = random_network(5, 7)
    tree = JunctionTree(network)
    random = np.random.default_rng(0)
    batch = 300_000
    likelihood = random.uniform(0.1, 1, size=(network.states["n6"], batch))
    whole = tree.infer(["n0"], {"n6": likelihood}, batch=batch).marginals["n0"]
    for case in (0, 131_072, batch - 1):
        single = tree.infer(["n0"], {"n6": likelihood[:, case : case + 1]}).marginals["n0"]
        np.testing.assert_allclose(whole[:, case : case + 1], single, rtol=1e-14)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), batch=st.sampled_from([1, 2, 3, 7, 64, 1000]))
def test_bitwise_a_case_has_the_same_bits_in_every_batch(seed: int, batch: int) -> None:
    network = random_network(seed, 7)
    tree = JunctionTree(network, root="n3", bitwise=True)
    random = np.random.default_rng(seed)
    seen = {node: random.uniform(0.01, 1, size=(network.states[node], batch)) for node in ("n0", "n3", "n6")}
    whole = tree.infer(["n3"], seen, batch=batch).marginals["n3"]
    for case in {0, batch // 2, batch - 1}:
        single = tree.infer(["n3"], {node: array[:, [case]] for node, array in seen.items()}).marginals["n3"]
        assert np.array_equal(whole[:, [case]], single)


def test_threads_change_nothing() -> None:
    network = random_network(5, 8)
    tree, random = JunctionTree(network), np.random.default_rng(0)
    seen = {"n6": random.uniform(0.1, 1, size=(network.states["n6"], 30_000))}
    one, two = (tree.infer(list(network.states), seen, batch=30_000, threads=threads) for threads in (1, 2))
    for node in network.states:
        np.testing.assert_allclose(one.marginals[node], two.marginals[node], rtol=1e-12)


def test_no_cases_at_all_are_no_trouble() -> None:
    network = random_network(5, 4)
    assert JunctionTree(network).infer(["n2"], batch=0).marginals["n2"].shape == (network.states["n2"], 0)


def test_much_unlikely_evidence_does_not_underflow() -> None:
    network = Network()
    network.add("n0", [0.5, 0.5])
    for index in range(1, 300):
        network.add(f"n{index}", [[0.9, 0.1], [0.2, 0.8]], [f"n{index - 1}"])
    evidence = {f"n{index}": np.array([[1e-9], [2e-9]]) for index in range(1, 300)}
    found = JunctionTree(network).infer(["n0"], evidence)
    assert found.log_likelihood[0] < -5000
    assert found.marginals["n0"].sum() == pytest.approx(1, abs=1e-12)


def test_impossible_evidence_is_said_not_hidden() -> None:
    network = Network()
    network.add_root("a", 0.0)
    found = JunctionTree(network).infer(["a"], {"a": np.array([[0.0], [1.0]])})
    assert found.log_likelihood[0] == -np.inf
    assert found.marginals["a"].sum() == 0


def test_disconnected_parts_are_joined() -> None:
    network = Network()
    network.add_root("a", 0.3)
    network.add_root("b", 0.6)
    found = JunctionTree(network).infer(["a", "b"], {"b": np.array([[0.1], [0.9]])})
    assert found.marginals["a"][1, 0] == pytest.approx(0.3)
    assert found.marginals["b"][1, 0] == pytest.approx(0.54 / 0.58)


def test_a_graph_that_is_too_wide_is_refused_before_it_is_built() -> None:
    network = Network()
    for row in range(14):
        for column in range(14):
            parents = [name for name in (f"x{row - 1}_{column}", f"x{row}_{column - 1}") if name in network.states]
            network.add(f"x{row}_{column}", np.full((*(4 for _ in parents), 4), 0.25), parents)
    with pytest.raises(KnowledgeError, match="more than 20000000 cells"):
        JunctionTree(network)


@pytest.mark.parametrize(
    ("likelihoods", "priors", "message"),
    [
        ({"nobody": np.ones((2, 1))}, {}, "Unknown nodes"),
        ({"b": np.ones((3, 1))}, {}, "has shape"),
        ({}, {"b": np.ones((2, 1))}, "have causes"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(
    likelihoods: dict[str, np.ndarray], priors: dict[str, np.ndarray], message: str
) -> None:
    network = Network()
    network.add_root("a", 0.3)
    network.add_indicator("b", "a", seen=0.9, otherwise=0.1)
    with pytest.raises(KnowledgeError, match=message):
        JunctionTree(network).infer(["a"], likelihoods, priors)
