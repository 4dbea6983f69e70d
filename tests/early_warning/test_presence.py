from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import DataError
from early_warning import Presence, PresenceModel, RatioCurve, ScoreRatios, fit_ratio

BRIGHT = (0.0, 255.0)
scores = st.lists(st.floats(0, 1), min_size=10, max_size=60)


def curve(*, cap: float = 1000.0) -> RatioCurve:
    random = np.random.default_rng(1)
    with_it = np.where(random.random(400) < 0.1, 0.0, random.beta(5, 2, 400))
    without = np.where(random.random(400) < 0.8, 0.0, random.beta(1, 6, 400))
    return fit_ratio(with_it.tolist(), without.tolist(), BRIGHT, cap=cap)


def test_a_high_score_speaks_for_it_and_nothing_found_against_it() -> None:
    fitted = curve()
    assert fitted.log_ratio(0.9) > math.log(20)
    assert fitted.log_ratio(0.0) == pytest.approx(math.log(0.1 / 0.8), abs=0.25)


@given(scores, scores)
def test_a_higher_score_never_says_less(positives: list[float], negatives: list[float]) -> None:
    fitted = fit_ratio(positives, negatives, BRIGHT)
    told = [fitted.log_ratio(score) for score in np.linspace(0, 1, 50)]
    assert told == sorted(told)
    assert max(told) <= math.log(max(1.0, len(negatives) / 3)) + 1e-9
    assert min(told) >= -math.log(max(1.0, len(positives) / 3)) - 1e-9


def test_a_ratio_is_capped() -> None:
    assert curve(cap=5).log_ratio(0.99) == pytest.approx(math.log(5))


def test_a_detector_that_sees_nothing_says_nothing() -> None:
    blind = fit_ratio([0.0] * 50, [0.0] * 50, BRIGHT)
    assert blind.log_ratio(0.0) == pytest.approx(0, abs=0.05)


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="at least 10 pictures with and without the thing, given 12 and 3"):
        fit_ratio([0.5] * 12, [0.1] * 3, BRIGHT)


def test_where_the_slice_is_not_known_the_least_telling_counts() -> None:
    day = RatioCurve(edges=(0.5,), log_ratios=(-2.0, 3.0), positives=50, negatives=50, brightness=(90, 200))
    rain = day.model_copy(update={"log_ratios": (-0.5, 1.0), "brightness": (80, 160)})
    night = day.model_copy(update={"log_ratios": (-0.1, 0.2), "brightness": (5, 60)})
    ratios = ScoreRatios(label="water", curves={"": day, "rain": rain, "night": night})
    assert ratios.log_ratio(0.9, 180) == 3.0
    assert ratios.log_ratio(0.9, 120) == 1.0
    assert ratios.log_ratio(0.9, 30) == 0.2
    assert ratios.log_ratio(0.1, 250) == -0.1  # no slice was so bright
    assert ratios.cap == 3.0


MODEL = PresenceModel(every_s=86_400, lasts_s=3600, independent_s=10)


def test_frames_add_up_to_the_cap_and_no_further() -> None:
    presence = Presence(MODEL, cap=math.log(50))
    told = []
    for second in range(0, 300, 10):
        presence.see(second * 1000, math.log(3))
        told.append(presence.log_ratio(second * 1000))
    assert told[0] == pytest.approx(math.log(3), abs=0.01)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(math.log(50))


def test_frames_that_repeat_each_other_share_one_weight() -> None:
    often, seldom = Presence(MODEL, cap=20), Presence(MODEL, cap=20)
    for tick in range(100):
        often.see(tick * 200, 1.0)  # five a second
    for second in (0, 10):
        seldom.see(second * 1000, 1.0)
    assert often.log_ratio(20_000) == pytest.approx(seldom.log_ratio(20_000) + 1.0, abs=0.15)


def test_one_wild_frame_among_many_is_outweighed() -> None:
    presence = Presence(MODEL, cap=10)
    for second in range(0, 600, 10):
        presence.see(second * 1000, 2.0 if second == 300 else -0.5)
    assert presence.log_ratio(600_000) < 0


def test_what_is_not_seen_is_forgotten() -> None:
    presence = Presence(MODEL, cap=10)
    presence.see(0, 4.0)
    soon, later = presence.log_ratio(60_000), presence.log_ratio(560_000)
    assert 4.0 > soon > later > 3.0
    assert presence.log_ratio(10_000_000) == pytest.approx(0)


@given(st.lists(st.tuples(st.integers(0, 60_000), st.floats(-5, 5)), max_size=30))
def test_the_state_survives_json(looks: list[tuple[int, float]]) -> None:
    presence, time_ms = Presence(MODEL, cap=7), 0
    for step_ms, ratio in looks:
        time_ms += step_ms
        presence.see(time_ms, ratio)
    other = Presence(MODEL, cap=7)
    other.restore(json.loads(json.dumps(presence.to_json())))
    assert other.log_ratio(time_ms + 5000) == presence.log_ratio(time_ms + 5000)
    assert abs(presence.log_ratio(time_ms + 5000)) <= 7
