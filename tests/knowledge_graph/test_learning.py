"""Learning: shares move to what verdicts say, audits correct for what was never looked at, storms count once."""

from __future__ import annotations

import numpy as np
import pytest

from contracts import DataError
from knowledge_graph.learning import LEAK, Beta, LinkCounts, Verdicts, calibration_error, probabilities

TRUTH = {"rain": 0.3, "gate": 0.7, LEAK: 0.05}
EXPERT = LinkCounts({"rain": Beta(6, 4), "gate": Beta(4, 6), LEAK: Beta(1, 49)})


def draw(count: int, seed: int, *, share: float = 0.4) -> Verdicts:
    random = np.random.default_rng(seed)
    present = {name: (random.uniform(size=count) < share).astype(float) for name in ("rain", "gate")}
    came = random.uniform(size=count) < probabilities(TRUTH, present)
    return Verdicts(present, came, np.ones(count), np.arange(count))


def test_verdicts_move_the_shares_to_the_truth() -> None:
    learned = EXPERT.learn(draw(20_000, 1)).rates()
    assert learned == pytest.approx(TRUTH, abs=0.02)


def test_five_hundred_labels_calibrate() -> None:
    before, after = [], []
    for seed in range(0, 20, 2):
        learned = EXPERT.learn(draw(500, seed, share=0.15)).rates()
        judged = draw(20_000, seed + 1, share=0.15)
        before.append(calibration_error(probabilities(EXPERT.rates(), judged.present), judged.came))
        after.append(calibration_error(probabilities(learned, judged.present), judged.came))
    assert np.mean(after) < 0.03 < np.mean(before)


def test_learning_only_from_warnings_is_wrong_and_audits_mend_it() -> None:
    whole = draw(40_000, 4)
    warned = whole.present["gate"] > 0
    audited = np.random.default_rng(5).uniform(size=warned.size) < 0.05
    looked = np.where(warned, 1.0, 0.05)
    kept = warned | audited

    def learn(chosen: np.ndarray, probability: np.ndarray) -> dict[str, float]:
        present = {name: array[chosen] for name, array in whole.present.items()}
        verdicts = Verdicts(present, whole.came[chosen], probability[chosen], np.arange(chosen.sum()))
        return EXPERT.learn(verdicts).rates()

    with_audits = learn(kept, looked)
    assert with_audits[LEAK] == pytest.approx(TRUTH[LEAK], abs=0.02)
    assert with_audits["rain"] == pytest.approx(TRUTH["rain"], abs=0.04)
    only_alarms = learn(warned, np.ones(warned.size))
    assert abs(only_alarms[LEAK] - TRUTH[LEAK]) > abs(with_audits[LEAK] - TRUTH[LEAK])


def test_one_storm_counts_once() -> None:
    one = Verdicts({"rain": np.ones(1), "gate": np.zeros(1)}, np.array([True]), np.ones(1), np.zeros(1, dtype=np.int64))
    many = Verdicts(
        {"rain": np.ones(200), "gate": np.zeros(200)}, np.ones(200, bool), np.ones(200), np.zeros(200, dtype=np.int64)
    )
    assert EXPERT.learn(many).rates() == pytest.approx(EXPERT.learn(one).rates())


def test_a_few_audits_count_as_few_however_many_cases_they_stand_for() -> None:
    nothing = {"rain": np.zeros(20), "gate": np.zeros(20)}
    audits = Verdicts(nothing, np.zeros(20, bool), np.full(20, 0.01), np.arange(20))
    assert audits.weights().sum() == pytest.approx(20)
    mixed = Verdicts(nothing, np.zeros(20, bool), np.array([1.0] * 10 + [0.01] * 10), np.arange(20))
    weights = mixed.weights()
    assert weights[10] / weights[0] == pytest.approx(100)
    assert 10 < weights.sum() < 11


def test_what_was_seen_fades_toward_the_expert() -> None:
    counts = EXPERT.learn(draw(5000, 6))
    away = abs(counts.rates()["rain"] - 0.6)
    nothing = Verdicts(
        {"rain": np.zeros(0), "gate": np.zeros(0)}, np.zeros(0, bool), np.zeros(0), np.zeros(0, np.int64)
    )
    for _ in range(40):
        counts = counts.learn(nothing)
    assert abs(counts.rates()["rain"] - 0.6) < away / 4


def test_verdicts_that_do_not_fit_are_refused() -> None:
    good = draw(3, 7)
    with pytest.raises(DataError, match="within"):
        EXPERT.learn(Verdicts(good.present, good.came, np.zeros(3), good.storm))
    with pytest.raises(DataError, match="lengths"):
        EXPERT.learn(Verdicts(good.present, good.came[:2], good.looked, good.storm))
    with pytest.raises(DataError, match="the rule has"):
        EXPERT.learn(Verdicts({"rain": np.ones(3)}, good.came, good.looked, good.storm))
