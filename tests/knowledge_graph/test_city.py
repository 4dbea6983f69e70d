"""Shared roots: exact against enumeration of a small city, and a roll-up that respects the shared cause."""

from __future__ import annotations

import numpy as np
import pytest

from contracts import KnowledgeError
from knowledge_graph import JunctionTree, Network, infer_city

from .brute_force import enumerate_posteriors

PLACES = 3


def template() -> Network:
    network = Network()
    network.add_root("storm", 0.1)
    network.add_root("blocked", 0.2)
    network.add_noisy_or("flood", {"storm": 0.6, "blocked": 0.3}, 0.01)
    network.add_indicator("wet", "flood", seen=0.9, otherwise=0.05)
    return network


def whole_city() -> Network:
    network = Network()
    network.add_root("storm", 0.1)
    for place in range(PLACES):
        network.add_root(f"blocked{place}", 0.2)
        network.add_noisy_or(f"flood{place}", {"storm": 0.6, f"blocked{place}": 0.3}, 0.01)
        network.add_indicator(f"wet{place}", f"flood{place}", seen=0.9, otherwise=0.05)
    quiet = np.zeros((2,) * (PLACES + 1))
    quiet[..., 1] = 1
    quiet[(0,) * PLACES] = [1, 0]
    network.add("any", quiet, [f"flood{place}" for place in range(PLACES)])
    return network


@pytest.mark.parametrize("seen", [(1, 1, 0), (None, 1, None), (None, None, None)])
def test_places_and_the_roll_up_equal_enumeration(seen: tuple[int | None, ...]) -> None:
    wet = np.ones((2, PLACES))
    for place, state in enumerate(seen):
        if state is not None:
            wet[1 - state, place] = 0
    found = infer_city(JunctionTree(template()), "flood", {"storm": np.array([0.9, 0.1])}, {"wet": wet}, places=PLACES)
    evidence = {f"wet{place}": wet[:, [place]] for place in range(PLACES)}
    expected, _ = enumerate_posteriors(whole_city(), evidence, {}, 1)
    assert found.shared[1] == pytest.approx(expected["storm"][1, 0], abs=1e-12)
    for place in range(PLACES):
        assert found.places[place] == pytest.approx(expected[f"flood{place}"][1, 0], abs=1e-12)
    assert found.any_of(slice(None)) == pytest.approx(expected["any"][1, 0], abs=1e-12)


def test_the_naive_roll_up_is_wrong() -> None:
    found = infer_city(JunctionTree(template()), "flood", {"storm": np.array([0.9, 0.1])}, places=100)
    few = found.any_of(np.arange(5))
    assert 1 - np.prod(1 - found.places[:5]) > few + 0.05


def test_too_many_shared_states_are_refused() -> None:
    shared = {f"s{index}": np.array([0.5, 0.5]) for index in range(9)}
    with pytest.raises(KnowledgeError, match="joint states"):
        infer_city(JunctionTree(template()), "flood", shared, places=1)


def test_evidence_on_a_shared_root_belongs_to_its_weights() -> None:
    with pytest.raises(KnowledgeError, match="shared weights"):
        infer_city(JunctionTree(template()), "flood", {"storm": np.ones(2)}, {"storm": np.ones((2, 1))}, places=1)


def test_impossible_together_is_refused() -> None:
    with pytest.raises(KnowledgeError, match="impossible"):
        infer_city(JunctionTree(template()), "flood", {"storm": np.zeros(2)}, places=1)
