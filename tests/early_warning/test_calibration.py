from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from contracts import DataError, Direction, Forecast
from early_warning import CalibrationPolicy, calibrate, calibration_key
from early_warning.arrays import pack_array, unpack_array
from early_warning.calibration import (
    LARGEST,
    SMALLEST,
    CalibrationState,
    fitting,
    issue,
    learn_steps,
    learn_tail,
    with_extremes,
)
from early_warning.exceedance import CERTAIN, exceedance, over_horizon

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL = np.array([-1.645, -0.674, 0, 0.674, 1.645], dtype=np.float32)
POLICY = CalibrationPolicy()


def forecast(values: np.ndarray, version: int = 1) -> Forecast:
    return Forecast("pump", 0, 3600, QUANTILES, values.astype(np.float32), "m", version)


def fresh(horizon: int = 2) -> CalibrationState:
    return CalibrationState.fresh("m:1", horizon, len(QUANTILES))


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 4), st.integers(0, 4)), elements=st.floats(width=32)))
def test_arrays_survive_json_to_the_last_bit(array: np.ndarray) -> None:
    back = unpack_array(json.loads(json.dumps(pack_array(array))))
    assert back.tobytes() == array.tobytes()
    assert back.shape == array.shape


def test_what_is_no_array_is_told() -> None:
    with pytest.raises(DataError, match="holds no packed array"):
        unpack_array({"shape": [3], "float32": "AAAA"})


def test_without_knowledge_nothing_moves() -> None:
    given_forecast = forecast(np.tile(NORMAL, (2, 1)))
    assert calibrate(given_forecast, {}) is given_forecast
    other = {calibration_key("pump"): CalibrationState.fresh("m:2", 2, 5).to_json()}
    assert calibrate(given_forecast, other) is given_forecast


def test_a_calibration_of_another_shape_is_refused() -> None:
    state = {calibration_key("pump"): CalibrationState.fresh("m:1", 3, 5).to_json()}
    with pytest.raises(DataError, match="Discard the calibration"):
        calibrate(forecast(np.tile(NORMAL, (2, 1))), state)


@given(
    offsets=hnp.arrays(np.float32, (4, 5), elements=st.floats(-2, 2, width=32)),
    rows=hnp.arrays(np.float32, (2, 5), elements=st.floats(-100, 100, width=32)),
)
def test_calibrated_quantiles_never_cross(offsets: np.ndarray, rows: np.ndarray) -> None:
    zeros = fresh()
    state = CalibrationState("m:1", offsets, zeros.counts, zeros.excesses, zeros.exceeded)
    moved = calibrate(forecast(np.sort(rows, axis=1)), {calibration_key("pump"): state.to_json()})
    assert (np.diff(moved.values, axis=1) >= 0).all()
    assert moved.values.dtype == np.float32


@pytest.mark.parametrize("bias", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_a_biased_forecaster_keeps_its_promise_in_the_long_run(bias: float, spread: float) -> None:
    state, raw = fresh(1), forecast(np.array([NORMAL]))
    truths = bias + spread * np.random.default_rng(3).standard_normal(7500)
    below = np.zeros(5)
    for truth in truths:
        row = issue(raw, state)[0]
        below += truth <= row
        state = learn_steps(state, [0], QUANTILES, issued=row[None], truth=float(truth), policy=POLICY)
    np.testing.assert_allclose(below / truths.size, QUANTILES, atol=0.02)


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=30))
def test_a_truth_moves_its_quantiles_towards_it(truths: list[float]) -> None:
    state, raw = fresh(1), forecast(np.array([NORMAL]))
    for truth in truths:
        row = issue(raw, state)[0]
        learned = learn_steps(state, [0], QUANTILES, issued=row[None], truth=truth, policy=POLICY)
        moved = learned.offsets[0] - state.offsets[0]
        assert (np.sign(moved) == np.where(truth <= row, -1, 1)).all()
        assert np.array_equal(learned.offsets[1:], state.offsets[1:])
        state = learned


def test_the_extremes_learn_how_far_steps_move_together() -> None:
    """Independent steps: the smallest of six lies lower than their common quantile says."""
    random = np.random.default_rng(5)
    state, raw = fresh(6), forecast(np.tile(NORMAL, (6, 1)))
    low, high = [], []
    for truths in random.standard_normal((4000, 6)):
        rows = issue(raw, state)
        for row, extreme in ((SMALLEST, truths.min()), (LARGEST, truths.max())):
            state = learn_tail(state, row, rows[row], float(extreme))
            state = learn_steps(state, [row], QUANTILES, issued=rows[[row]], truth=float(extreme), policy=POLICY)
        low.append([_told(rows, state, level, Direction.LOW) for level in LEVELS])
        high.append([_told(rows, state, -level, Direction.HIGH) for level in LEVELS])
    smallest = random.standard_normal((200_000, 6)).min(axis=1)
    expected = [float((smallest < level).mean()) for level in LEVELS]
    np.testing.assert_allclose(np.mean(low[-2000:], axis=0), expected, atol=0.05)
    np.testing.assert_allclose(np.mean(high[-2000:], axis=0), expected, atol=0.05)


LEVELS = (-0.5, -1.5, -2.5, -3.2)


def _told(rows: np.ndarray, state: CalibrationState, level: float, direction: Direction) -> float:
    return exceedance(rows, QUANTILES, state, level=level, direction=direction, policy=POLICY)


@given(levels=st.lists(st.floats(-30, 30), min_size=2, max_size=20))
def test_a_lower_level_is_never_likelier_to_be_fallen_below(levels: list[float]) -> None:
    rows = with_extremes(np.tile(NORMAL, (2, 1)))
    told = [
        exceedance(rows, QUANTILES, fresh(), level=level, direction=Direction.LOW, policy=POLICY)
        for level in sorted(levels)
    ]
    assert told == sorted(told)
    assert all(0 < probability < 1 for probability in told)


def test_a_level_needs_a_direction() -> None:
    rows = with_extremes(np.tile(NORMAL, (2, 1)))
    with pytest.raises(DataError, match="needs one direction"):
        exceedance(rows, QUANTILES, fresh(), level=1, direction=Direction.BOTH, policy=POLICY)


def test_another_horizon_has_another_probability() -> None:
    assert over_horizon(0.3, 3600, 3600) == 0.3
    assert over_horizon(0.3, 3600, 7200) == pytest.approx(1 - 0.7**2)
    assert over_horizon(CERTAIN, 3600, 10**9) == CERTAIN


def test_another_model_starts_anew() -> None:
    learned = learn_steps(fresh(), [0], QUANTILES, issued=NORMAL[None], truth=9.0, policy=POLICY)
    same, other = forecast(np.tile(NORMAL, (2, 1))), forecast(np.tile(NORMAL, (2, 1)), version=2)
    assert fitting(learned, same) is learned
    assert not fitting(learned, other).offsets.any()
