from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import DataError, GateResult
from gpu import Latency
from registry import GateEvidence, GateLimits, at_least, at_most, judge, relative_error

LIMITS = GateLimits()
GATES = ["better_than_baselines", "parity", "latency", "interval_coverage"]


def evidence_of(coverage: float = 0.9, observations: int = 1000, **changes: object) -> GateEvidence:
    actual = np.zeros((observations // 10, 10))
    high = np.where(np.arange(actual.size).reshape(actual.shape) < coverage * actual.size, 1.0, -0.5)
    given = {
        "loss": 0.2,
        "baseline_losses": {"last_value": 0.4, "seasonal_naive": 0.39},
        "loss_name": "mae",
        "parity_error": 1e-7,
        "latency": Latency(1.0, 2.0, 3.0),
        "actual": actual,
        "low": np.full_like(actual, -1.0),
        "high": high,
        **changes,
    }
    return GateEvidence(**given)  # type: ignore[arg-type]


def verdict_of(evidence: GateEvidence, limits: GateLimits = LIMITS) -> dict[str, GateResult]:
    return {gate.name: gate for gate in judge(evidence, limits)}


def test_a_good_version_passes_every_gate_with_its_figures() -> None:
    verdict = verdict_of(evidence_of())
    assert list(verdict) == GATES
    assert all(gate.passed for gate in verdict.values())
    assert verdict["better_than_baselines"].value == pytest.approx(0.2 / 0.39)
    assert verdict["latency"].value == 2.0
    assert verdict["interval_coverage"].value == pytest.approx(0.9)
    assert verdict["better_than_baselines"].detail.startswith(
        "0.5128 times the mae of the best baseline (mae 0.2, seas"
    )


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"loss": 0.34}, "better_than_baselines"),
        ({"baseline_losses": {"last_value": 0.21}}, "better_than_baselines"),
        ({"parity_error": 2e-5}, "parity"),
        ({"latency": Latency(1.0, 20.1, 30.0)}, "latency"),
        ({"coverage": 0.84}, "interval_coverage"),
        ({"coverage": 0.96}, "interval_coverage"),
    ],
)
def test_each_gate_fails_alone(changes: dict[str, object], failing: str) -> None:
    verdict = verdict_of(evidence_of(**changes))  # type: ignore[arg-type]
    assert [name for name, gate in verdict.items() if not gate.passed] == [failing]


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"loss": None}, "better_than_baselines"),
        ({"loss": math.nan}, "better_than_baselines"),
        ({"baseline_losses": {}}, "better_than_baselines"),
        ({"baseline_losses": {"last_value": math.nan, "seasonal_naive": 9.0}}, "better_than_baselines"),
        ({"baseline_losses": {"last_value": 0.0, "seasonal_naive": 9.0}}, "better_than_baselines"),
        ({"parity_error": None}, "parity"),
        ({"parity_error": math.nan}, "parity"),
        ({"latency": None}, "latency"),
        ({"actual": None}, "interval_coverage"),
        ({"observations": 90}, "interval_coverage"),
        ({"actual": np.full((100, 10), np.nan)}, "interval_coverage"),
    ],
)
def test_what_was_not_measured_fails(changes: dict[str, object], failing: str) -> None:
    verdict = verdict_of(evidence_of(**changes))  # type: ignore[arg-type]
    assert [name for name, gate in verdict.items() if not gate.passed] == [failing]
    assert verdict[failing].value is None
    assert verdict[failing].detail.startswith("Not measured")


def test_an_infinite_error_fails_and_stays_json() -> None:
    gate = verdict_of(evidence_of(parity_error=math.inf))["parity"]
    assert (gate.passed, gate.value) == (False, None)
    assert GateResult.model_validate_json(gate.model_dump_json()) == gate


def test_a_limit_of_none_switches_its_gate_off() -> None:
    limits = GateLimits(max_loss_ratio=None, max_parity_error=None, max_latency_p95_ms=None, interval_level=None)
    assert judge(GateEvidence(), limits) == ()
    assert [gate.name for gate in judge(GateEvidence(), LIMITS)] == GATES


def test_missing_hours_do_not_count() -> None:
    full = evidence_of(observations=1000)
    actual = np.asarray(full.actual).copy()
    actual[::2] = np.nan  # every second origin
    gate = verdict_of(evidence_of(actual=actual))["interval_coverage"]
    assert "of 500 observations" in gate.detail
    assert gate.value == pytest.approx(0.9, abs=0.01)


def test_an_interval_that_crosses_itself_is_refused() -> None:
    shape = (100, 10)
    with pytest.raises(DataError, match="crosses itself"):
        judge(evidence_of(actual=np.zeros(shape), low=np.ones(shape), high=np.zeros(shape)), LIMITS)


def test_an_interval_that_is_missing_where_a_value_was_seen_is_refused() -> None:
    shape = (100, 10)
    with pytest.raises(DataError, match="holds NaN where a value was observed"):
        judge(evidence_of(actual=np.zeros(shape), low=np.full(shape, np.nan), high=np.ones(shape)), LIMITS)


def test_arrays_of_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match=r"must have one shape"):
        judge(evidence_of(low=np.zeros((3, 3))), LIMITS)


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_coverage must not exceed max_coverage"):
        GateLimits(min_coverage=0.96, max_coverage=0.95)


@given(value=st.floats(allow_nan=False, allow_infinity=False), limit=st.floats(-1e9, 1e9))
def test_at_most_and_at_least_meet_at_the_limit(value: float, limit: float) -> None:
    below, above = at_most("x", value, limit, "of x"), at_least("x", value, limit, "of x")
    assert below.passed or above.passed
    assert (below.passed and above.passed) == (value == limit)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(0, 1e-3))
def test_relative_error_measures_what_was_added(values: list[float], error: float) -> None:
    expected = np.array(values)
    actual = expected + error * np.maximum(np.abs(expected), 1.0)
    assert relative_error(expected, actual) == pytest.approx(error, rel=1e-3, abs=1e-9)


def test_nan_in_both_is_no_error_and_in_one_is_infinite() -> None:
    assert relative_error([1.0, np.nan], [1.0, np.nan]) == 0
    assert relative_error([1.0, np.nan], [1.0, 2.0]) == math.inf
    assert relative_error([np.nan], [np.nan]) == math.inf  # nothing was compared


@pytest.mark.parametrize(("expected", "actual"), [([1.0], [1.0, 2.0]), ([], [])])
def test_outputs_that_cannot_be_compared_are_refused(expected: list[float], actual: list[float]) -> None:
    with pytest.raises(DataError, match="cannot be compared"):
        relative_error(expected, actual)
