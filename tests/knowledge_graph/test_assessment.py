"""Assessments: evidence semantics, groups, levels, laws and explanations that sum up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import Evidence, EvidenceKind, KnowledgeError, Layer, Level
from knowledge_graph import Assessment, CompiledRules, Fact

from .examples import NOON_MS, UNDERPASS, compiled, rule_text


def logit(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)


def say(
    node: str, kind: EvidenceKind, value: float, *, group: str = "", sign: str | None = None, time_ms: int = NOON_MS
) -> Evidence:
    return Evidence(node=node, place="east.a", kind=kind, value=value, group=group or node, time_ms=time_ms, sign=sign)


def exceeds(value: float, node: str = "flood.underpass.rain") -> Evidence:
    return say(node, EvidenceKind.EXCEEDANCE, value, group="radar", sign="radar.p_exceed")


def ratio(value: float, node: str = "flood.underpass.cam", *, group: str = "", sign: str | None = None) -> Evidence:
    return say(node, EvidenceKind.LIKELIHOOD, value, group=group, sign=sign)


def experience(assessments: Sequence[Assessment]) -> Assessment:
    (found,) = (assessment for assessment in assessments if assessment.layer is Layer.EXPERIENCE)
    return found


def watched(rules: CompiledRules, readings: Sequence[dict[str, float]], step_ms: int = 60_000) -> tuple[Fact, ...]:
    memory: dict[str, object] = {}
    facts: tuple[Fact, ...] = ()
    for index, values in enumerate(readings):
        facts, memory = rules.watch(memory, "east.a", NOON_MS + index * step_ms, values)
    return facts


def test_nothing_said_leaves_the_leak(tmp_path: Path) -> None:
    found = experience(compiled(tmp_path, UNDERPASS).assess("east.a"))
    assert found.probability == pytest.approx(1 / 500)
    assert found.level is None
    assert found.explanation.contributions == ()


def test_the_veterans_compound_answer_comes_back(tmp_path: Path) -> None:
    found = experience(compiled(tmp_path, UNDERPASS).assess("east.a", [exceeds(1)]))
    assert found.probability == pytest.approx(0.6)
    assert found.level is Level.ORANGE
    assert dict(found.bars) == {Level.YELLOW: 0.2, Level.ORANGE: 0.5, Level.RED: 0.8}


def test_exceedance_mixes_the_two_worlds(tmp_path: Path) -> None:
    found = experience(compiled(tmp_path, UNDERPASS).assess("east.a", [exceeds(0.3)]))
    assert found.probability == pytest.approx(0.3 * 0.6 + 0.7 / 500)


def test_a_likelihood_ratio_multiplies_the_odds(tmp_path: Path) -> None:
    found = experience(compiled(tmp_path, UNDERPASS).assess("east.a", [ratio(40)]))
    assert found.probability is not None
    assert logit(found.probability) - logit(1 / 500) == pytest.approx(math.log(40))


def test_an_inhibitor_halves_what_is_left(tmp_path: Path) -> None:
    pump = say("flood.underpass.pump_ready", EvidenceKind.OBSERVED, 1)
    found = experience(compiled(tmp_path, UNDERPASS).assess("east.a", [exceeds(1), pump]))
    assert found.probability == pytest.approx(0.3)


def test_an_observed_root_beats_its_forecast(tmp_path: Path) -> None:
    dry = say("flood.underpass.rain", EvidenceKind.OBSERVED, 0, group="gauge")
    found = experience(compiled(tmp_path, UNDERPASS).assess("east.a", [exceeds(0.9), dry]))
    assert found.probability == pytest.approx(1 / 500)


def test_the_law_always_fires_and_feeds_the_experience_layer(tmp_path: Path) -> None:
    rules = compiled(tmp_path, UNDERPASS)
    facts = watched(rules, [{"level_cm": 30.0}] * 4)
    (law,) = (a for a in rules.assess("east.a", (), facts) if a.layer is Layer.STATUTORY)
    assert (law.law, law.level, law.probability) == ("close_road", Level.RED, None)
    assert law.explanation.trace == ("flood.underpass.deep: level_cm 30 cm, at least 25 cm (for 3min)",)
    found = experience(rules.assess("east.a", (), facts))
    assert found.probability is not None
    assert found.probability > 0.6


def test_a_law_that_does_not_fire_is_still_reported(tmp_path: Path) -> None:
    rules = compiled(tmp_path, UNDERPASS)
    assessments = rules.assess("east.a", (), watched(rules, [{"level_cm": 30.0}] * 3))
    assert [a.level for a in assessments if a.layer is Layer.STATUTORY] == [None]
    assert experience(assessments).probability == pytest.approx(1 / 500)


TWO_CAMERAS = rule_text(
    "north: {source: vision.water, lr: calibrated, group: cameras}\n"
    "south: {source: radar.p_exceed, lr: calibrated, group: cameras}\n"
    "gauge: {source: level_cm, lr: calibrated}"
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_one_group_only_the_strongest_counts(tmp_path: Path, order: tuple[int, ...]) -> None:
    items = [
        ratio(5, "test.rule.north", group="cameras"),
        ratio(20, "test.rule.south", group="cameras"),
        ratio(3, "test.rule.gauge", group="gauge"),
    ]
    found = experience(compiled(tmp_path, TWO_CAMERAS).assess("east.a", [items[index] for index in order]))
    assert found.probability is not None
    assert logit(found.probability) - logit(0.01) == pytest.approx(math.log(60))
    assert found.explanation.trace == ("test.rule.north: same source as test.rule.south, counted once",)


def test_two_frames_of_one_camera_count_once(tmp_path: Path) -> None:
    frames = [ratio(5, "test.rule.north", group="cameras"), ratio(5, "test.rule.north", group="cameras")]
    found = experience(compiled(tmp_path, TWO_CAMERAS).assess("east.a", frames))
    assert found.probability is not None
    assert logit(found.probability) - logit(0.01) == pytest.approx(math.log(5))


def test_the_same_fact_through_two_groups_counts_once(tmp_path: Path) -> None:
    both = [
        ratio(5, "test.rule.north", group="one", sign="vision.water"),
        ratio(5, "test.rule.south", group="two", sign="vision.water"),
    ]
    found = experience(compiled(tmp_path, TWO_CAMERAS).assess("east.a", both))
    assert found.probability is not None
    assert logit(found.probability) - logit(0.01) == pytest.approx(math.log(5))


def test_a_forecast_and_its_anomaly_count_once(tmp_path: Path) -> None:
    rules = compiled(
        tmp_path,
        rule_text(
            "ahead: {source: flow.a, use: prior, at: 95, direction: low, group: flow_model}\n"
            "shock: {source: flow.a, use: shock, direction: low, group: flow_model}",
            body="causes: {ahead: {yes: 8, of: 10, prior: {yes: 1, of: 100}}}\n",
        ),
    )
    forecast = say("test.rule.ahead", EvidenceKind.EXCEEDANCE, 0.9, group="flow_model")
    anomaly = ratio(30, "test.rule.shock", group="flow_model")
    each = [experience(rules.assess("east.a", [item])).probability for item in (forecast, anomaly)]
    both = experience(rules.assess("east.a", [forecast, anomaly])).probability
    assert both == max(probability for probability in each if probability is not None)


def test_bindings_say_what_models_must_bring(tmp_path: Path) -> None:
    (rain, cam) = compiled(tmp_path, UNDERPASS).bindings
    assert (rain.node, rain.use, rain.level, rain.horizon_s) == ("flood.underpass.rain", "exceedance", 50.0, 3600)
    assert (cam.node, cam.use, cam.group) == ("flood.underpass.cam", "ratio", "vision.water")


EVIDENCE = st.lists(
    st.one_of(
        st.floats(0.01, 0.99).map(exceeds),
        st.floats(0.01, 500).map(ratio),
        st.sampled_from([0.0, 1.0]).map(lambda v: say("flood.underpass.pump_ready", EvidenceKind.OBSERVED, v)),
        st.sampled_from([0.0, 1.0]).map(lambda v: say("flood.underpass.gate_closed", EvidenceKind.OBSERVED, v)),
        st.floats(0.1, 50).map(lambda v: ratio(v, "flood.underpass.waterlogged", group="caller")),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(evidence=EVIDENCE)
def test_explanations_sum_up_and_do_what_they_say(
    tmp_path_factory: pytest.TempPathFactory, evidence: list[Evidence]
) -> None:
    rules = compiled(tmp_path_factory.mktemp("rules"), UNDERPASS)
    found = experience(rules.assess("east.a", evidence))
    explanation = found.explanation
    total = logit(explanation.prior) + sum(item.weight for item in explanation.contributions)
    assert total == pytest.approx(logit(explanation.posterior), abs=1e-9)
    for item in explanation.contributions:
        assert item.evidence is not None
        left = list(evidence)
        left.remove(item.evidence)
        again = experience(rules.assess("east.a", left)).probability
        assert again == pytest.approx(item.without, abs=1e-12)


def test_the_counterfactual_names_the_fewest_sources(tmp_path: Path) -> None:
    rules = compiled(tmp_path, UNDERPASS)
    found = experience(rules.assess("east.a", [exceeds(0.9), ratio(2)])).explanation.counterfactual
    assert found is not None
    assert found.en == ("Without “radar.p_exceed: forecast exceedance 90.0%” the probability would be 0.4%: no warning")
    assert "不会预警" in found.zh
    both = experience(rules.assess("east.a", [exceeds(0.9), ratio(400)])).explanation.counterfactual
    assert both is not None
    assert " and " in both.en
    assert experience(rules.assess("east.a", [ratio(2)])).explanation.counterfactual is None


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (say("flood.underpass.nobody", EvidenceKind.OBSERVED, 1), "unknown node"),
        (say("other.risk", EvidenceKind.OBSERVED, 1), "fits no rule"),
        (exceeds(0.5, "flood.underpass.waterlogged"), "is no root"),
        (exceeds(0.5).model_copy(update={"place": "east.b"}), "fits no rule"),
    ],
)
def test_evidence_that_fits_nothing_is_refused(tmp_path: Path, evidence: Evidence, message: str) -> None:
    with pytest.raises(KnowledgeError, match=message):
        compiled(tmp_path, UNDERPASS).assess("east.a", [evidence])


def test_an_unknown_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="No rule applies to the place 'city'"):
        compiled(tmp_path, UNDERPASS).assess("city")


def test_evidence_that_cannot_all_be_true_is_refused(tmp_path: Path) -> None:
    rules = compiled(
        tmp_path,
        rule_text(
            "",
            body="at: [east.a]\ncauses: {storm: {yes: 1, of: 1, reading: alone, prior: {yes: 1, of: 2}}}\n",
        ),
    )
    storm = say("test.rule.storm", EvidenceKind.OBSERVED, 1)
    calm = say("test.rule.risk", EvidenceKind.OBSERVED, 0)
    with pytest.raises(KnowledgeError, match="cannot all be true"):
        rules.assess("east.a", [storm, calm])


def test_a_rule_outside_its_dates_is_not_asked(tmp_path: Path) -> None:
    rules = compiled(tmp_path, UNDERPASS.replace("status: trial", "status: trial\nfrom: 2026-07-02"))
    assert rules.watch({}, "east.a", NOON_MS, {"level_cm": 30})[0] == ()
    assert rules.assess("east.a", [exceeds(0.5)]) == []
    assert len(rules.assess("east.a", [exceeds(0.5).model_copy(update={"time_ms": NOON_MS + 86_400_000})])) == 2


def test_a_reload_loses_no_timer(tmp_path: Path) -> None:
    before = compiled(tmp_path / "a", UNDERPASS)
    memory: dict[str, object] = {}
    for minute in range(3):
        facts, memory = before.watch(memory, "east.a", NOON_MS + minute * 60_000, {"level_cm": 26})
    after = compiled(tmp_path / "b", UNDERPASS.replace("{yes: 6, of: 10}", "{yes: 7, of: 10}"))
    assert after.digest != before.digest
    facts, memory = after.watch(memory, "east.a", NOON_MS + 180_000, {"level_cm": 26})
    assert [fact.state for fact in facts] == [True]


def test_the_counterfactual_agrees_with_leaving_out(tmp_path: Path) -> None:
    rules = compiled(tmp_path, TWO_CAMERAS)
    north = ratio(100, "test.rule.north", group="cameras")
    south = ratio(400, "test.rule.south", group="cameras")
    found = experience(rules.assess("east.a", [north, south])).explanation
    assert found.contributions[0].without > 0.5
    assert found.counterfactual is not None
    assert found.counterfactual.en.count("likelihood ratio") == 2
    weak = experience(rules.assess("east.a", [ratio(3, "test.rule.north", group="cameras"), south])).explanation
    assert weak.contributions[0].without < 0.5
    assert weak.counterfactual is not None
    assert weak.counterfactual.en.count("likelihood ratio") == 1
