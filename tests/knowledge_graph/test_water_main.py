"""The water main's pack: sound, tested by its own rules, and quiet when nothing is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import Evidence, EvidenceKind, Layer, Level, load_pack, parse_utc, to_ms
from knowledge_graph import CompiledRules, check, compile_rules, load_procedures, run_rule_tests

PACK = Path(__file__).parents[2] / "scenarios" / "construction" / "water_main"
START_MS = to_ms(parse_utc("2022-04-27T00:00:00Z"))
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def rules() -> CompiledRules:
    pack = load_pack(PACK)
    report = check(pack.rules, pack.signs, pack.places, load_procedures(pack.procedures), timezone=pack.header.timezone)
    assert report.problems == ()
    assert report.advice == ()
    assert report.ruleset is not None
    return compile_rules(report.ruleset)


def levels(rules: CompiledRules, flows: list[float | None]) -> list[dict[str, Level | None]]:
    """Return the level of each risk at each hour."""
    (place,) = rules.places
    memory: dict[str, object] = {}
    found = []
    for hour, flow in enumerate(flows):
        values = {} if flow is None else {"water_main.flow": flow}
        facts, memory = rules.watch(memory, place, START_MS + hour * HOUR_MS, values)
        found.append({a.risk: a.level for a in rules.assess(place, (), facts) if a.layer is Layer.EXPERIENCE})
    return found


def test_its_own_tests_pass(rules: CompiledRules) -> None:
    report = run_rule_tests(rules.ruleset, rules)
    assert report.failures == ()
    assert len(report.results) >= 25


def test_every_text_is_in_both_languages(rules: CompiledRules) -> None:
    texts = [rule.title for rule in rules.ruleset.rules]
    for procedure in rules.ruleset.procedures.values():
        texts += [procedure.title, procedure.lead, *procedure.steps]
    for rule in rules.ruleset.rules:
        texts += [entry.reason for entry in rule.words.signs.values() if entry.reason is not None]
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in text.zh) for text in texts)
    assert all(text.en.isascii() for text in texts)


def test_the_first_hour_of_a_drop_warns_and_silence_does_not(rules: CompiledRules) -> None:
    found = levels(rules, [102.0, 101.5, None, None, None, 101.8, 91.3, 24.3, 24.3, None, 99.0])
    assert [row["water_main.supply_loss"] is not None for row in found] == [False] * 6 + [True] * 3 + [False] * 2


def test_a_noisy_recovery_opens_nothing(rules: CompiledRules) -> None:
    found = levels(rules, [24.3, 53.2, 82.8, 95.7, 103.6, 99.2, 103.8])
    assert [row["water_main.supply_loss"] is not None for row in found] == [True] * 4 + [False] * 3


def test_ordinary_weeks_are_quiet(rules: CompiledRules) -> None:
    flows: list[float | None] = [102 + 1.5 * ((hour * 7) % 11) / 11 for hour in range(24 * 14)]
    assert all(level is None for row in levels(rules, flows) for level in row.values())


def test_a_stuck_meter_is_its_own_risk(rules: CompiledRules) -> None:
    found = levels(rules, [101.37] * 8)
    assert [row["water_main.sensor_stuck"] for row in found] == [None] * 6 + [Level.BLUE] * 2
    assert {row["water_main.supply_loss"] for row in found} == {None}


def test_announced_work_explains_the_drop_and_says_so(rules: CompiledRules) -> None:
    (place,) = rules.places
    facts, _ = rules.watch({}, place, START_MS, {"water_main.flow": 24.3})
    work = Evidence(
        node="water_main.supply_loss.planned_work",
        place=place,
        kind=EvidenceKind.OBSERVED,
        value=1,
        group="operators",
        time_ms=START_MS,
    )
    quiet = next(a for a in rules.assess(place, [work], facts) if a.risk == "water_main.supply_loss")
    loud = next(a for a in rules.assess(place, [], facts) if a.risk == "water_main.supply_loss")
    assert loud.level is Level.RED
    assert quiet.level is not Level.RED
    assert any(item.node.endswith("planned_work") and item.weight < 0 for item in quiet.explanation.contributions)


def test_all_that_the_flow_model_says_is_one_group(rules: CompiledRules) -> None:
    assert {binding.group for binding in rules.bindings} == {"flow_model"}
    assert {binding.use for binding in rules.bindings} == {"exceedance", "shock", "drift"}
    facts, _ = rules.watch({}, rules.places[0], START_MS, {"water_main.flow": 24.3})
    assert {fact.group for fact in facts} == {"flow_model"}
