"""What rules were told is kept exactly: the same past gives the engine's very episodes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts import ConfigurationError, DataError, InboxItem, Layer
from early_warning.scoring import Event
from operations import LocalModels, backtest, backtest_rules
from operations.rule_judgement import compare_rules, judge_rules, read_events
from operations.rule_past import read_past, record_past, write_past
from tests.early_warning.worlds import (
    HOUR_MS,
    PUMP,
    START_MS,
    SUPPLY,
    configure_world,
    flow,
    local_models,
    reading,
    tick,
)

HOURS = 220
DROPS = {hour: 40.0 for start in (110, 150, 190) for hour in range(start, start + 5)} | {170: 3.0}


def items() -> list[InboxItem]:
    found: list[InboxItem] = []
    for hour, value in enumerate(flow(HOURS, drops=DROPS)):
        found.append(reading(len(found) + 1, hour, value))
        found.append(tick(len(found) + 1, hour))
    return found


def test_a_recorded_past_gives_the_engines_episodes_with_models_answering(tmp_path: Path) -> None:
    configuration, models = configure_world(tmp_path), local_models(tmp_path)
    ((pack, rules),) = configuration.rules.items()
    expected = backtest(configuration, items(), models).episodes
    told = {key: one for key, one in expected.items() if one.layer is not Layer.HEALTH}
    past = record_past(configuration, pack, items(), models)
    assert past.evidence
    kept = tmp_path / "kept.parquet"
    write_past(past, kept)
    again = read_past([kept], rules)
    for known in (past, again):
        found = backtest_rules(rules, configuration.places, known, configuration.policy).episodes
        assert {key: one.model_copy(update={"explanation": None}) for key, one in told.items()} == found
    assert {Layer.EXPERIENCE, Layer.STATUTORY} == {one.layer for one in told.values()}


def test_readings_keep_their_last_digit_and_strangers_are_passed_over(tmp_path: Path) -> None:
    configuration = configure_world(tmp_path)
    (rules,) = configuration.rules.values()
    file = tmp_path / "readings.csv"
    file.write_text(f"sign,time,value\n{PUMP},2024-01-01T00:20:00Z,95.1\nother,2024-01-02T00:00:00Z,1\n")
    past = read_past([file], rules)
    assert past.times_ms.tolist() == [START_MS + HOUR_MS]
    assert past.readings[PUMP].tolist() == [95.1]
    file.write_text("sign,time,value\nother,2024-01-02T00:00:00Z,1\n")
    with pytest.raises(DataError, match=r"no row is of a sign or node@place"):
        read_past([file], rules)


def test_an_inbox_without_readings_is_refused(tmp_path: Path) -> None:
    configuration = configure_world(tmp_path)
    ((pack, _),) = configuration.rules.items()
    with pytest.raises(DataError, match="No instant was decided"):
        record_past(configuration, pack, [], LocalModels({}))


def test_events_are_checked_whole(tmp_path: Path) -> None:
    (rules,) = configure_world(tmp_path).rules.values()
    file = tmp_path / "events.csv"
    file.write_text(
        "risk,place,start,end\n"
        f"{SUPPLY},town.east.river,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z\n"
        f"{SUPPLY},nowhere,2024-01-02T00:00:00Z,2024-01-03T00:00:00Z\n"
        "flood,town.east.river,2024-01-02T00:00:00Z,2024-01-03T00:00:00Z\n"
        f"{SUPPLY},town.east.river,yesterday,2024-01-03T00:00:00Z\n"
    )
    with pytest.raises(ConfigurationError, match="events") as caught:
        read_events(file, rules)
    assert {problem.where.rpartition(":")[2] for problem in caught.value.problems} == {"2", "3", "4", "5"}


def test_a_deaf_rule_set_costs_more_and_loses_episodes(tmp_path: Path) -> None:
    configuration, models = configure_world(tmp_path), local_models(tmp_path)
    ((pack, rules),) = configuration.rules.items()
    past = record_past(configuration, pack, items(), models)
    starts = [START_MS + hour * HOUR_MS for hour in (110, 150, 190)]
    events = [Event(SUPPLY, "town.east.river", start, start + 5 * HOUR_MS) for start in starts]
    deaf = type(past)(past.times_ms, {sign: np.full_like(values, np.nan) for sign, values in past.readings.items()})
    good, bad = (
        judge_rules(rules, configuration.places, known, events, policy=configuration.policy) for known in (past, deaf)
    )
    assert good.scores[SUPPLY].episodes.pod.value == 1
    assert bad.scores[SUPPLY].episodes.pod.value == 0
    change = compare_rules(good, bad, events)[SUPPLY]
    assert change.cost.value is not None
    assert change.cost.value > 0
    assert change.changed > 0
    assert (change.episodes_after, change.same) == (0, 0)
