"""The underpass pack: sound, tested by its own rules, with tests that notice mutants."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import Evidence, EvidenceKind, Layer, Level, load_pack, parse_utc, to_ms
from knowledge_graph import CompiledRules, check, compile_rules, load_procedures, run_mutations, run_rule_tests

PACK = Path(__file__).parents[2] / "scenarios" / "construction" / "underpass"
START_MS = to_ms(parse_utc("2026-07-10T00:00:00Z"))
MINUTE_MS = 60_000
NORTH, CANAL = "demo.east.rail.g1.north", "demo.east.port.g1.canal"


@pytest.fixture(scope="module")
def rules() -> CompiledRules:
    pack = load_pack(PACK)
    report = check(pack.rules, pack.signs, pack.places, load_procedures(pack.procedures), timezone=pack.header.timezone)
    assert report.problems == ()
    assert report.advice == ()
    assert report.ruleset is not None
    return compile_rules(report.ruleset)


def test_its_own_tests_pass_and_notice_nine_of_ten_mutants(rules: CompiledRules) -> None:
    report = run_rule_tests(rules.ruleset, rules)
    assert report.failures == ()
    assert len(report.results) >= 70
    mutated = run_mutations(rules.ruleset)
    assert mutated.score >= 0.9, [f"{mutant.rule} {mutant.change}" for mutant in mutated.survivors]


def played(rules: CompiledRules, place: str, depths: list[float | None]) -> list[set[str]]:
    """Return the laws that fire at each minute."""
    sign = next(sign.id for sign in rules.ruleset.signs if sign.place == place and sign.dimension == "underpass.depth")
    memory: dict[str, object] = {}
    found = []
    for minute, depth in enumerate(depths):
        values = {} if depth is None else {sign: depth}
        facts, memory = rules.watch(memory, place, START_MS + minute * MINUTE_MS, values)
        assessed = rules.assess(place, (), facts)
        found.append({one.law or "" for one in assessed if one.layer is Layer.STATUTORY and one.level is not None})
    return found


def test_it_closes_earlier_where_water_rises_fast_and_not_where_it_only_stands(rules: CompiledRules) -> None:
    assert played(rules, NORTH, [5, 9, 13, 16, 20, 26]) == [set()] * 3 + [{"close_early"}] * 2 + [{"close_road"}]
    assert played(rules, NORTH, [18.0] * 30) == [set()] * 30


def test_a_lost_reading_closes_nothing_and_opens_nothing(rules: CompiledRules) -> None:
    assert played(rules, NORTH, [10, None, 26, None, 26]) == [set(), set(), {"close_road"}, set(), {"close_road"}]


def test_a_place_may_have_a_threshold_of_its_own(rules: CompiledRules) -> None:
    flood = next(rule for rule in rules.ruleset.rules if rule.id == "underpass.flood")
    assert flood.thresholds == {(CANAL, "wet"): 12.0}


def test_water_seen_twice_counts_once(rules: CompiledRules) -> None:
    def probability(*ratios: float) -> float:
        evidence = [
            Evidence(
                node="underpass.flood.camera",
                place=NORTH,
                kind=EvidenceKind.LIKELIHOOD,
                value=ratio,
                group="underpass.north.camera",
                time_ms=START_MS,
                sign="underpass.north.camera",
            )
            for ratio in ratios
        ]
        found = next(one for one in rules.assess(NORTH, evidence) if one.risk == "underpass.flood" and not one.law)
        assert found.probability is not None
        assert found.level in {None, Level.YELLOW}
        return found.probability

    assert probability(20.0, 15.0) == probability(20.0) > probability(1.0)
