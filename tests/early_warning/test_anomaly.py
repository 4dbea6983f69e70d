from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import DataError, Direction
from early_warning import AnomalyPolicy, fit_shape, likelihood_ratio
from early_warning.anomaly import accumulate, fit_pareto, p_value, score, supported_ratio

POLICY = AnomalyPolicy()
QUANTILES = (0.05, 0.5, 0.95)


def test_a_score_is_in_half_widths_of_its_side() -> None:
    row = np.array([98.0, 100.0, 101.0], dtype=np.float32)
    assert score(row, QUANTILES, 102.0) == pytest.approx(2.0)
    assert score(row, QUANTILES, 96.0) == pytest.approx(-2.0)
    assert np.isfinite(score(np.full(3, 100, np.float32), QUANTILES, 101.0))


@pytest.mark.parametrize("direction", list(Direction))
def test_p_values_of_calm_days_are_uniform(direction: Direction) -> None:
    random = np.random.default_rng(1)
    drawn = []
    for _ in range(600):
        past = random.standard_normal(200).astype(np.float32)
        drawn.append(p_value(past, float(random.standard_normal()), direction, POLICY))
    found = np.quantile(drawn, [0.02, 0.1, 0.5, 0.9])
    np.testing.assert_allclose(found, [0.02, 0.1, 0.5, 0.9], atol=0.05)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=10))
def test_a_more_extreme_score_is_never_likelier(scores: list[float]) -> None:
    past = np.random.default_rng(2).standard_normal(300).astype(np.float32)
    told = [p_value(past, one, Direction.HIGH, POLICY) for one in sorted(scores)]
    # where ranks give way to the fitted tail they may differ by what a rank is worth
    assert all(later <= earlier + 0.02 for earlier, later in itertools.pairwise(told))
    assert all(POLICY.smallest_p <= p <= 1 for p in told)


def test_short_history_ends_at_one_over_its_length() -> None:
    past = np.random.default_rng(2).standard_normal(40).astype(np.float32)
    assert p_value(past, 1e6, Direction.HIGH, POLICY) == pytest.approx(1 / 41)
    assert p_value(np.empty(0, np.float32), 1e6, Direction.HIGH, POLICY) == 1


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.4])
def test_the_tail_fit_finds_its_parameters(shape: float) -> None:
    uniform = np.random.default_rng(4).uniform(size=20_000)
    drawn = -2 * np.log(uniform) if shape == 0 else 2 * (uniform**-shape - 1) / shape
    fitted, scale = fit_pareto(drawn)
    assert fitted == pytest.approx(shape, abs=0.05)
    assert scale == pytest.approx(2.0, rel=0.08)


@pytest.mark.parametrize("shape", [0.1, 0.2, 0.6])
def test_a_ratio_is_one_on_average_when_nothing_is_wrong(shape: float) -> None:
    edges = np.logspace(-60, 0, 400_001)
    middle = np.sqrt(edges[1:] * edges[:-1])
    ratios = np.array([likelihood_ratio(float(p), shape, 1e300) for p in middle[::100]])
    widths = np.add.reduceat(np.diff(edges), np.arange(0, middle.size, 100))
    assert float((ratios * widths).sum()) == pytest.approx(1.0, abs=0.02)


def test_a_ratio_is_capped_by_the_rule_and_by_what_history_supports() -> None:
    assert likelihood_ratio(1e-9, 0.2, 50) == 50
    assert supported_ratio(600, 6) == pytest.approx(100 / 3)
    assert supported_ratio(6, 6) == 1
    assert supported_ratio(0, 6) == 1


def test_the_rule_of_three_covers() -> None:
    """Where history of n windows shows no false alarm, the rate is below 3 / n in 95 of 100 cases."""
    windows, ratio = 100, supported_ratio(600, 6)
    rate = 1 / ratio  # the largest rate that the ratio takes for possible
    assert (1 - rate) ** windows == pytest.approx(0.05, abs=0.005)


def test_the_shape_is_fitted_from_trouble_that_was_seen() -> None:
    uniform = np.random.default_rng(6).uniform(size=20_000)
    assert fit_shape((uniform ** (1 / 0.2)).clip(1e-300).tolist()) == pytest.approx(0.2, abs=0.01)
    with pytest.raises(DataError, match="needs p-values"):
        fit_shape([])
    with pytest.raises(DataError, match="needs p-values"):
        fit_shape([0.0])


def test_drift_adds_up_and_one_wild_reading_is_none() -> None:
    sums = (0.0, 0.0)
    for _ in range(10):
        sums = accumulate(sums, 0.5, slack=0.3, clip=1.0)
    assert sums == pytest.approx((0.0, 2.0))
    assert accumulate((0.0, 0.0), 1e6, slack=0.3, clip=1.0) == pytest.approx((0.0, 0.7))
