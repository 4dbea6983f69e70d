"""Full tables and ranked causes, against what they say and against a numerical integral."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from contracts import Evidence, EvidenceKind, Layer
from knowledge_graph import CompiledRules
from knowledge_graph.authoring import RankedWords
from knowledge_graph.full_tables import missing_rows, ranked_risk, ranked_table

from .examples import NOON_MS, RANKED_CAUSES, TABLE_OF_CAUSES, compiled


def probability(rules: CompiledRules, **there: bool) -> float:
    risk = rules.ruleset.rules[0].id
    evidence = [
        Evidence(
            node=f"{risk}.{name}", place="east.a", kind=EvidenceKind.OBSERVED, value=state, group=name, time_ms=NOON_MS
        )
        for name, state in there.items()
    ]
    (found,) = [one for one in rules.assess("east.a", evidence) if one.layer is Layer.EXPERIENCE]
    assert found.probability is not None
    return found.probability


@pytest.mark.parametrize(
    ("rain", "tide", "expected"), [(False, False, 1 / 500), (True, False, 0.3), (False, True, 0.01), (True, True, 0.9)]
)
def test_each_row_of_a_full_table_is_what_comes(tmp_path: Path, *, rain: bool, tide: bool, expected: float) -> None:
    rules = compiled(tmp_path, TABLE_OF_CAUSES)
    assert probability(rules, rain=rain, tide=tide) == pytest.approx(expected, abs=1e-12)


def test_what_is_unknown_is_summed_over_its_prior(tmp_path: Path) -> None:
    rules = compiled(tmp_path, TABLE_OF_CAUSES)
    assert probability(rules, rain=True) == pytest.approx(0.9 * 0.3 + 0.1 * 0.9, abs=1e-12)


def test_combinations_that_no_row_names() -> None:
    assert missing_rows(["a", "b"], []) == [("b",), ("a",), ("a", "b")]


def test_ranked_causes_rise_with_weight_and_number(tmp_path: Path) -> None:
    rules = compiled(tmp_path, RANKED_CAUSES)
    none, light, heavy, both = (
        probability(rules, density=density, event=event)
        for density, event in ((False, False), (False, True), (True, False), (True, True))
    )
    assert none == pytest.approx(1 / 500, abs=1e-12), "without any cause only the leak is left"
    assert none < light < heavy < both < 1


@pytest.mark.parametrize("mean", ["least", "most"])
def test_the_least_and_the_most_of_the_causes(mean: str) -> None:
    table = ranked_risk([5.0, 1.0], 0.0, RankedWords.model_validate({"spread": 0.1, "mean": mean}))[..., 1]
    balanced = ranked_risk([5.0, 1.0], 0.0, RankedWords.model_validate({"spread": 0.1}))[..., 1]
    one = (1, 0)
    assert table[one] < balanced[one] if mean == "least" else table[one] > balanced[0, 1]
    assert table[0, 0] == 0


@settings(max_examples=25, deadline=None)
@given(
    weights=st.lists(st.floats(0.2, 5), min_size=1, max_size=3),
    spread=st.floats(0.05, 2),
    ranks=st.integers(2, 4),
)
def test_a_ranked_node_is_a_truncated_normal_averaged_over_its_parents(
    weights: list[float], spread: float, ranks: int
) -> None:
    table = ranked_table([ranks] * len(weights), ranks, weights=weights, spread=spread)
    np.testing.assert_allclose(table.sum(axis=-1), 1, atol=1e-12)
    edges = np.linspace(0, 1, ranks + 1)
    for state in itertools.product(range(ranks), repeat=len(weights)):
        masses = []
        for offset in (0.1, 0.3, 0.5, 0.7, 0.9):
            centre = np.average([(rank + offset) / ranks for rank in state], weights=weights)
            normal = truncnorm(-centre / spread, (1 - centre) / spread, centre, spread)
            masses.append(np.diff(normal.cdf(edges)))
        np.testing.assert_allclose(table[state], np.mean(masses, axis=0), atol=1e-9)
