"""Cooke's classical model: the figures that anduryl 1.2.2 gives for the same answers, and what the scores must obey."""

from __future__ import annotations

import numpy as np
import pytest

from contracts import DataError
from knowledge_graph.veterans import SeedAnswer, score_veterans

ANSWERS = {
    "wang": [(5, 20, 60), (1, 4, 9), (10, 30, 50), (2, 6, 20), (0.5, 2, 5), (100, 150, 300)],
    "li": [(18, 20, 22), (3.9, 4, 4.1), (29, 30, 31), (7, 8, 9), (1, 2, 3), (140, 150, 160)],
    "zhao": [(2, 30, 90), (2, 5, 30), (5, 20, 100), (1, 10, 40), (1, 3, 12), (50, 200, 500)],
}
TRUTHS = {f"q{number}": truth for number, truth in enumerate([25, 4.05, 45, 7.5, 4, 180])}


def answers() -> list[SeedAnswer]:
    return [SeedAnswer(who, f"q{n}", *told) for who, found in ANSWERS.items() for n, told in enumerate(found)]


def test_scores_are_those_of_the_reference() -> None:
    found = {score.veteran: score for score in score_veterans(answers(), TRUTHS)}
    assert [found[who].calibration for who in ANSWERS] == pytest.approx([0.02247388, 0.00079586, 0.58412702], abs=1e-8)
    assert [found[who].information for who in ANSWERS] == pytest.approx([0.7653853, 2.82850767, 0.22812304], abs=1e-8)
    raw = np.array([0.01720118, 0.00225109, 0.13325283])
    assert [found[who].weight for who in ANSWERS] == pytest.approx(raw / raw.sum(), abs=1e-6)


def test_below_the_cutoff_nobody_has_a_say() -> None:
    found = {score.veteran: score.weight for score in score_veterans(answers(), TRUTHS, cutoff=0.05)}
    assert found == {"wang": 0, "li": 0, "zhao": 1}
    assert not any(score.weight for score in score_veterans(answers(), TRUTHS, cutoff=0.9))


def test_right_quantiles_calibrate_and_narrow_ones_do_not() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(0, 1, 60)
    told = []
    for number in range(60):
        told.append(SeedAnswer("right", f"q{number}", -1.645, 0, 1.645))
        told.append(SeedAnswer("sure", f"q{number}", -0.1, 0, 0.1))
    scores = {
        one.veteran: one for one in score_veterans(told, {f"q{n}": float(value) for n, value in enumerate(truth)})
    }
    assert scores["right"].calibration > 0.05
    assert scores["sure"].calibration < 1e-6
    assert scores["sure"].information > scores["right"].information
    assert scores["right"].weight > 0.99


@pytest.mark.parametrize(
    ("changed", "truths", "match"),
    [
        ([SeedAnswer("wang", "q0", 5, 5, 6)], TRUTHS, "quantiles must rise"),
        ([], {**TRUTHS, "q9": 1.0}, "otherwise than the seeds"),
        ([], {"q0": 25.0}, "at least 5"),
    ],
)
def test_what_cannot_be_scored_is_told(changed: list[SeedAnswer], truths: dict[str, float], match: str) -> None:
    with pytest.raises(DataError, match=match):
        score_veterans([*answers(), *changed], truths)
