from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training import DisturbanceRule

from .recipes import daily_values, series


@given(share=st.floats(0, 0.4), drop=st.floats(-1000, 20))
def test_drops_are_found_even_when_many(share: float, drop: float) -> None:
    values = daily_values()
    count = int(share * len(values))
    values[:count] = drop
    rule = DisturbanceRule.fit(values, threshold=6)
    disturbed = rule.disturbed(values)
    assert disturbed[:count].all()
    assert not disturbed[count:].any()


def test_missing_is_not_disturbed_and_a_flat_sign_has_no_rule() -> None:
    flat = np.full(50, 3.0, dtype=np.float32)
    flat[7] = 9
    assert not DisturbanceRule.fit(flat, threshold=3).disturbed(flat).any()
    values = daily_values()
    values[3] = np.nan
    assert not DisturbanceRule.fit(values, threshold=6).disturbed(values)[3]


def test_left_out_readings_become_missing_and_the_original_stays() -> None:
    values = daily_values()
    values[10] = 0
    one = series(values)
    cleaned = DisturbanceRule.fit(values, threshold=6).leave_out(one)
    assert np.isnan(cleaned.values[10])
    assert one.values[10] == 0
