"""Figures of a backtest against plain definitions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score

from contracts import DataError, Episode, Layer, Level, Text, episode_id, from_ms
from early_warning.scoring import (
    Event,
    Outcome,
    ScoringPlan,
    TimeBlocks,
    ToldRisk,
    bootstrap,
    compare_costs,
    count_episodes,
    label_outcomes,
    match_episodes,
    relative_value,
    score_probability,
    score_risk,
)

HOUR_MS = 3_600_000
RISK = "pump.loss"
HOURS = np.arange(200, dtype=np.int64) * HOUR_MS


def event(first: int, last: int, place: str = "a") -> Event:
    return Event(RISK, place, first * HOUR_MS, last * HOUR_MS)


def episode(first: int, last: int | None, place: str = "a") -> Episode:
    return Episode(
        id=episode_id(RISK, place, first),
        risk=RISK,
        title=Text(zh="险", en="risk"),
        layer=Layer.EXPERIENCE,
        place=place,
        level=Level.YELLOW,
        peak_level=Level.YELLOW,
        opened_at=from_ms(first * HOUR_MS),
        updated_at=from_ms(first * HOUR_MS),
        closed_at=None if last is None else from_ms(last * HOUR_MS),
    )


def test_outcomes_lie_within_the_horizon_and_none_is_left_while_the_event_is_on() -> None:
    found = label_outcomes(HOURS[:20], ["a", "b"], [event(10, 12)], 3 * HOUR_MS)
    expected = [0] * 7 + [1] * 3 + [2] * 3 + [0] * 4 + [-1] * 3
    assert found[:, 0].tolist() == expected
    assert set(found[:17, 1]) == {Outcome.QUIET}


def test_an_event_elsewhere_or_backwards_is_refused() -> None:
    with pytest.raises(DataError, match="place without the rule"):
        label_outcomes(HOURS, ["b"], [event(10, 12)], HOUR_MS)
    with pytest.raises(DataError, match="ends before it starts"):
        label_outcomes(HOURS, ["a"], [event(12, 10)], HOUR_MS)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), decimals=st.integers(1, 4), size=st.integers(5, 400))
def test_corp_and_precision_are_those_of_the_plain_definitions(seed: int, decimals: int, size: int) -> None:
    random = np.random.default_rng(seed)
    told = random.random(size).round(decimals).astype(np.float32)
    came = random.random(size) < told**2
    came[:2] = [True, False]
    found = score_probability(told[:, None], came.astype(np.int8)[:, None])
    assert found is not None
    fitted = IsotonicRegression(out_of_bounds="clip").fit(told, came).predict(told)
    brier, best = np.mean((told - came) ** 2, dtype=np.float64), np.mean((fitted - came) ** 2, dtype=np.float64)
    base = came.mean()
    assert found.brier == pytest.approx(brier, abs=1e-7)
    assert found.miscalibration == pytest.approx(brier - best, abs=1e-6)
    assert found.discrimination == pytest.approx(base * (1 - base) - best, abs=1e-6)
    assert found.brier == pytest.approx(found.miscalibration - found.discrimination + found.uncertainty, abs=1e-12)
    assert found.pr_auc == pytest.approx(average_precision_score(came, told), abs=1e-9)


def test_without_an_onset_probabilities_cannot_be_scored() -> None:
    assert score_probability(np.full((5, 1), 0.1, np.float32), np.zeros((5, 1), np.int8)) is None


def test_episodes_are_matched_with_events() -> None:
    blocks = TimeBlocks.over(HOURS, 1)
    events = [event(20, 25), event(60, 61), event(100, 110), event(20, 22, "b")]
    episodes = [episode(18, 30), episode(40, 42), episode(103, None), episode(150, 151, "b")]
    counts = count_episodes(match_episodes(episodes, events, 6 * HOUR_MS), blocks)
    hits, ahead, misses, false, opened = counts.sums.sum(axis=0)
    assert (hits, ahead, misses, false, opened) == (2, 1, 2, 2, 4)
    assert sorted(counts.leads_ms) == [-3 * HOUR_MS, 2 * HOUR_MS]
    assert counts.sums[1].tolist() == [0, 0, 0, 1, 1]


def test_perfect_warnings_are_worth_one_and_always_warning_nothing() -> None:
    perfect, always, never = [10, 0, 0, 90], [10, 90, 0, 0], [0, 0, 10, 90]
    found = relative_value(np.array([perfect, always, never], float), 0.05)
    assert found.tolist() == pytest.approx([1, 0, (0.05 - 0.1) / (0.05 - 0.005)])


def test_the_interval_of_one_storm_is_wider_than_that_of_many_small_ones() -> None:
    share = lambda sums: sums[:, 0] / sums[:, 1]  # noqa: E731
    spread = bootstrap(np.tile([1.0, 2.0], (50, 1)), share)
    storm = np.zeros((50, 2))
    storm[:, 1], storm[3] = 1, [50, 51]
    single = bootstrap(storm, share)
    assert spread.value == spread.low == spread.high == 0.5
    assert single.low is not None
    assert single.high is not None
    assert single.low < 0.1
    assert single.high > 0.5


def test_a_risk_is_scored_whole_and_a_worse_rule_costs_more() -> None:
    events = [event(20, 22), event(60, 62), event(150, 152)]
    outcome = label_outcomes(HOURS, ["a"], events, 6 * HOUR_MS)
    good = np.where(outcome > Outcome.QUIET, 0.9, 0.02).astype(np.float32)
    told = ToldRisk(RISK, ["a"], good, [episode(16, 30)], {Level.YELLOW: 0.1, Level.RED: 0.6}, 6 * HOUR_MS)
    score = score_risk(told, HOURS, events, ScoringPlan(block_days=1))
    assert score.episodes.pod.value == pytest.approx(1 / 3)
    assert score.episodes.lead_median_s == 4 * 3600
    assert score.value[Level.YELLOW].value == pytest.approx(1)
    assert score.probability is not None
    assert score.probability.pr_auc == 1
    assert score.lift is not None
    assert score.lift > 5
    assert score.months == {"1970-01": {"events": 3, "episodes": 1, "hits": 1, "false": 0}}
    blind = np.full_like(good, 0.02)
    plan = ScoringPlan(block_days=1)
    worse = compare_costs((good, blind), times_ms=HOURS, outcome=outcome, ratio=0.1, plan=plan)
    same = compare_costs((good, good), times_ms=HOURS, outcome=outcome, ratio=0.1, plan=plan)
    assert worse.value is not None
    assert worse.value > 0
    assert (same.value, same.low, same.high) == (0, 0, 0)
