"""Trials as the registry orders them and reads them back."""

from pathlib import Path

import pytest

from contracts import TRIAL_REPORT, GateResult, PromotionError, TrialLimits, TrialReport
from registry.trials import begin_trial, end_trial, last_trial
from tests.serving.city import City


@pytest.fixture
def city(tmp_path: Path):
    made = City(tmp_path)
    yield made
    made.close()


def begin(city: City, version: int, *, passed: bool = True, share: float = 0.0) -> None:
    gate = GateResult(name="latency", passed=passed, value=1, limit=2)
    manifest = city.release_mean(version, shift=version).model_copy(update={"gates": (gate,)})
    begin_trial(city.store, manifest, "li.na", canary_share=share, limits=TrialLimits())


def test_a_trial_needs_a_champion_a_challenger_and_passed_gates(city: City):
    with pytest.raises(PromotionError, match="has no champion to compare version 1 with"):
        begin(city, 1)
    city.promote(city.release_mean(1, shift=1))
    with pytest.raises(PromotionError, match="is the champion already"):
        begin(city, 1)
    with pytest.raises(PromotionError, match="has not passed its gates"):
        begin(city, 2, passed=False)
    with pytest.raises(PromotionError, match="No trial of 'mean' goes on"):
        end_trial(city.store, "mean", "li.na", "enough")
    assert last_trial(city.store, "mean") is None


def test_reports_since_the_begin_are_read_as_one(city: City):
    city.promote(city.release_mean(1, shift=1))
    begin(city, 2)
    old = TrialReport(version=2, champion=1, comparisons=100, difference_sum=50)
    city.store.audit.append("serving", TRIAL_REPORT, "mean", old.model_dump(mode="json"))
    begin(city, 3, share=0.1)
    for comparisons in (3, 7):
        report = TrialReport(version=3, champion=1, comparisons=comparisons, difference_sum=0.1, difference_worst=0.1)
        city.store.audit.append("serving", TRIAL_REPORT, "mean", report.model_dump(mode="json"))
    record = last_trial(city.store, "mean")
    assert record is not None
    assert (record.plan.version, record.plan.canary_share, record.found.comparisons) == (3, 0.1, 10)
    assert record.found.difference == pytest.approx(0.02)
    assert record.ended_at is None
    ended = end_trial(city.store, "mean", "li.na", "promoted")
    assert (ended.ended_by, ended.reason) == ("li.na", "promoted")
