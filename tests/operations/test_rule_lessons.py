"""Audits draw what was quiet, always the same; verdicts and audits become cases with what was there at their time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from contracts import Answer, ConfigurationError, DataError, Layer, Verdict, from_ms
from knowledge_graph import CompiledRules
from operations import Past
from operations.rule_audits import draw_audits
from operations.rule_judgement import RuleJudgement, judge_rules
from operations.rule_lessons import JudgedCase, cases_of_verdicts, gather_cases, read_audits
from tests.early_warning.worlds import HOUR_MS, PUMP, START_MS, SUPPLY, configure_world, flow

RIVER, HILL = "town.east.river", "town.east.hill"
HOURS = 300
DRY = {**dict.fromkeys(range(100, 110), 2.0)}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[RuleJudgement, Past]:
    configuration = configure_world(tmp_path_factory.mktemp("pack"))
    (rules,) = configuration.rules.values()
    times = START_MS + HOUR_MS * np.arange(HOURS)
    ahead = np.full(HOURS, 0.01)
    ahead[50:60] = 0.9
    past = Past(times, {PUMP: np.array(flow(HOURS, drops=DRY))}, {(f"{SUPPLY}.low_ahead", RIVER): ahead})
    return judge_rules(rules, configuration.places, past, []), past


def test_audits_are_quiet_cases_drawn_by_a_hash(judged: tuple[RuleJudgement, Past]) -> None:
    found, _ = judged
    everything = draw_audits(found, 1.0)
    hours = {(one.place, (one.time_ms - START_MS) // HOUR_MS) for one in everything}
    assert {hour for place, hour in hours if place == HILL} == set(range(0, 297, 3))
    loud = {hour for hour in range(0, 297, 3) if (RIVER, hour) not in hours}
    assert {51, 54, 57, 102, 105, 108} <= loud
    assert loud <= set(range(48, 66)) | set(range(99, 117))
    some = draw_audits(found, 0.3)
    assert set(some) < {
        type(one)(one.risk, one.place, one.time_ms, one.until_ms, one.probability, 0.3) for one in everything
    }
    assert some == draw_audits(found, 0.3)
    assert some != draw_audits(found, 0.3, seed=1)
    assert 0.15 < len(some) / len(everything) < 0.45
    assert all(
        one.time_ms >= START_MS + 200 * HOUR_MS for one in draw_audits(found, 1.0, from_ms=START_MS + 200 * HOUR_MS)
    )


def test_cases_know_what_was_there(judged: tuple[RuleJudgement, Past]) -> None:
    found, past = judged
    rows = [(RIVER, 55, True), (RIVER, 10, False), (HILL, 10, False)]
    cases = [JudgedCase(SUPPLY, place, START_MS + hour * HOUR_MS, came, 1.0, str(hour)) for place, hour, came in rows]
    gathered = gather_cases(found.rules, SUPPLY, past, cases)
    assert gathered.verdicts.present["low_ahead"].tolist() == [0.9, 0.01, 0.001]
    assert gathered.verdicts.came.tolist() == [True, False, False]
    assert gathered.verdicts.storm.tolist() == [0, 1, 1]
    stray = JudgedCase(SUPPLY, RIVER, START_MS + 1, came=True, looked=1.0, storm="x")
    with pytest.raises(DataError, match="at no instant of the past"):
        gather_cases(found.rules, SUPPLY, past, [stray])


def test_answered_warnings_speak_for_those_that_were_not(judged: tuple[RuleJudgement, Past]) -> None:
    episodes = list(judged[0].found.episodes.values())
    own = [one for one in episodes if one.layer is Layer.EXPERIENCE]
    assert len(own) >= 2
    first, second = own[0], own[1]
    told = {
        first.id: Verdict(episode=first.id, answer=Answer.CONFIRMED, operator="li", time=from_ms(START_MS)),
        second.id: Verdict(episode=second.id, answer=Answer.UNKNOWN, operator="li", time=from_ms(START_MS)),
    }
    (case,) = cases_of_verdicts(episodes, told)
    assert (case.came, case.looked) == (True, 1 / len(own))
    assert case.storm == first.incident
    assert from_ms(case.time_ms) - first.opened_at == timedelta(0)


def test_audit_files_are_checked_whole(judged: tuple[RuleJudgement, Past], tmp_path: Path) -> None:
    rules: CompiledRules = judged[0].rules
    file = tmp_path / "audits.csv"
    head = "risk,place,time,until,probability,looked,came\n"
    file.write_text(
        head
        + f"{SUPPLY},{RIVER},2024-01-02T00:00:00Z,,0.1,0.02,yes\n{SUPPLY},{RIVER},2024-01-03T00:00:00Z,,0.1,0.02,\n"
    )
    (case,) = read_audits(file, rules)
    assert (case.came, case.looked, case.time_ms) == (True, 0.02, START_MS + 24 * HOUR_MS)
    file.write_text(
        head + f"flood,{RIVER},2024-01-02T00:00:00Z,,,0.02,yes\n{SUPPLY},{RIVER},2024-01-02T00:00:00Z,,,2,maybe\n"
    )
    with pytest.raises(ConfigurationError, match="audits") as caught:
        read_audits(file, rules)
    assert len(caught.value.problems) == 3
