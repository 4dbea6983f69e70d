"""Temporal operators in event time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import KnowledgeError
from knowledge_graph import CompiledRules, Fact

from .examples import HOUR_MS, MINUTE_MS, NOON_MS, compiled, rule_text

TELLS = "seen: {yes: 9, of: 10}, otherwise: {yes: 1, of: 10}"
SECOND = f"second: {{source: tide_m, '>': 1, {TELLS}}}"


def play(
    rules: CompiledRules, readings: Sequence[float | None], *, sign: str = "level_cm", step_ms: int = MINUTE_MS
) -> Iterator[tuple[Fact, ...]]:
    memory: dict[str, object] = {}
    for index, value in enumerate(readings):
        values = {} if value is None else {sign: value}
        facts, memory = rules.watch(memory, "east.a", NOON_MS + index * step_ms, values)
        memory = json.loads(json.dumps(memory))
        yield facts


def states(
    tmp_path: Path, entry: str, readings: Sequence[float | None], *, sign: str = "level_cm", step_ms: int = MINUTE_MS
) -> list[bool | None]:
    """Return what the entry says at each reading: true, false or nothing."""
    rules = compiled(tmp_path, rule_text(f"sign: {{{entry}, {TELLS}}}"))
    return [facts[0].state if facts else None for facts in play(rules, readings, sign=sign, step_ms=step_ms)]


T, F, N = True, False, None


@pytest.mark.parametrize(
    ("operator", "expected"), [("<", [T, F, F]), ("<=", [T, T, F]), (">", [F, F, T]), (">=", [F, T, T])]
)
def test_each_comparison_at_below_and_above_its_threshold(tmp_path: Path, operator: str, expected: list[bool]) -> None:
    assert states(tmp_path, f"source: level_cm, '{operator}': 25", [24.9, 25, 25.1]) == expected


def test_missing_says_nothing(tmp_path: Path) -> None:
    assert states(tmp_path, "source: level_cm, '<': 25", [10, None, 30, None]) == [T, N, F, N]


def test_for_holds_only_after_its_time(tmp_path: Path) -> None:
    assert states(tmp_path, "source: level_cm, '>=': 25, for: 2min", [26, 26, 26, 24, 26]) == [F, F, T, F, F]


def test_for_survives_one_missing_reading_but_not_blindness(tmp_path: Path) -> None:
    entry = "source: level_cm, '>=': 25, for: 2min"
    assert states(tmp_path, entry, [26, None, 26]) == [F, N, T]
    assert states(tmp_path, entry, [26, None, None, None, 26, 26, 26]) == [F, N, N, N, F, F, T]


def test_hysteresis_clears_only_beyond_its_own_level(tmp_path: Path) -> None:
    entry = "source: level_cm, '>=': 25, clear: 20"
    assert states(tmp_path, entry, [24, 25, 22, 20, 19.9, 22]) == [F, T, T, T, F, F]


def test_count_within(tmp_path: Path) -> None:
    entry = "source: level_cm, '>': 1, count: 3, within: 5min"
    assert states(tmp_path, entry, [2, 0, 2, 2, 0, 2, 0, 0, 0]) == [F, F, F, T, T, T, T, F, F]


def test_rise_and_drop_look_back_over_their_window(tmp_path: Path) -> None:
    assert states(tmp_path / "a", "source: level_cm, rise_per: 2min, '>=': 10", [0, 5, 10, 14, 15]) == [N, F, T, F, F]
    assert states(tmp_path / "b", "source: level_cm, drop_per: 1min, '>': 3", [10, 6, 4, 0]) == [N, T, F, T]


def test_stuck_is_unchanged_for_its_time(tmp_path: Path) -> None:
    entry = "source: level_cm, stuck: 2min, tolerance: 0.1"
    assert states(tmp_path, entry, [5, 5.05, 5, 5.2, 5.2, 5.2, 5.2]) == [F, F, T, F, F, T, T]


def test_a_stuck_value_that_wanders_slowly_is_not_stuck(tmp_path: Path) -> None:
    entry = "source: level_cm, stuck: 3min, tolerance: 0.1"
    assert states(tmp_path, entry, [5, 5.06, 5.12, 5.18, 5.24, 5.3, 5.36]) == [F] * 7


def test_absent_runs_on_through_silence(tmp_path: Path) -> None:
    entry = "source: level_cm, absent: 3min"
    assert states(tmp_path, entry, [1, None, None, None, None, 1, None]) == [F, F, F, T, T, F, F]


def test_absent_counts_from_the_first_instant_watched(tmp_path: Path) -> None:
    assert states(tmp_path, "source: level_cm, absent: 2min", [None, None, None]) == [F, F, T]


def test_season_and_hours_silence_the_condition(tmp_path: Path) -> None:
    day = [2.0] * 24
    noon_to_noon = states(
        tmp_path / "h", "source: flow.a, '>': 1, hours: '22:00-06:00'", day, sign="flow.a", step_ms=HOUR_MS
    )
    assert [index for index, state in enumerate(noon_to_noon) if state] == list(range(10, 18))
    assert states(tmp_path / "s", "source: level_cm, '>': 1, season: '06-01..06-30'", [2]) == [N]
    assert states(tmp_path / "t", "source: level_cm, '>': 1, season: '11-01..07-01'", [2]) == [T]


def night_readings(nights: Sequence[float | None], day: float = 50) -> list[float | None]:
    """Return hourly readings from noon: each night 01:00-05:00 at its value, the rest of the day at another."""
    readings: list[float | None] = []
    for night in nights:
        hours = range(12, 36)
        readings += [night if 1 <= hour % 24 < 5 else day for hour in hours]
    return readings


def test_night_minimum_stands_from_the_end_of_the_night(tmp_path: Path) -> None:
    readings = night_readings([10, 30])
    entry = "source: flow.a, night: '01:00-05:00', '>=': 20"
    found = states(tmp_path, entry, readings, sign="flow.a", step_ms=HOUR_MS)
    assert found[:17] == [N] * 17
    assert found[17:41] == [F] * 24
    assert found[41:] == [T] * 7


def test_two_raised_nights_in_a_row(tmp_path: Path) -> None:
    entry = "source: flow.a, night: '01:00-05:00', '>=': 20, for: 24h"
    rows = states(tmp_path / "a", entry, night_readings([30, 30]), sign="flow.a", step_ms=HOUR_MS)
    assert rows.index(True) == 41
    with_gap = states(tmp_path / "b", entry, night_readings([30, None, 30]), sign="flow.a", step_ms=HOUR_MS)
    assert True not in with_gap


def test_a_night_with_too_few_readings_says_nothing(tmp_path: Path) -> None:
    readings = night_readings([30])
    for hour in (13, 14, 15):
        readings[hour] = None
    entry = "source: flow.a, night: '01:00-05:00', '>=': 20"
    assert states(tmp_path, entry, readings, sign="flow.a", step_ms=HOUR_MS) == [N for _ in readings]


def test_a_sequence_needs_its_order_and_its_time(tmp_path: Path) -> None:
    signs = (
        f"first: {{source: level_cm, '>': 1, {TELLS}}}\n{SECOND}\n"
        f"both: {{sequence: [first, second], within: 2min, {TELLS}}}"
    )
    rules = compiled(tmp_path, rule_text(signs))

    def run(levels: list[float], tides: list[float]) -> list[bool | None]:
        memory: dict[str, object] = {}
        found: list[bool | None] = []
        for index, (level, tide) in enumerate(zip(levels, tides, strict=True)):
            facts, memory = rules.watch(
                memory, "east.a", NOON_MS + index * MINUTE_MS, {"level_cm": level, "tide_m": tide}
            )
            found.append(next(fact.state for fact in facts if fact.node.endswith(".both")))
        return found

    assert run([2, 0, 0, 0], [0, 0, 2, 0]) == [F, F, T, F]
    assert run([0, 0, 2, 0], [2, 0, 0, 0]) == [F, F, F, F]
    assert run([2, 0, 0, 0, 0], [0, 0, 0, 0, 2]) == [F] * 5


def test_time_that_runs_backwards_is_refused(tmp_path: Path) -> None:
    rules = compiled(tmp_path, rule_text(SECOND))
    _, memory = rules.watch({}, "east.a", NOON_MS, {"tide_m": 2})
    with pytest.raises(KnowledgeError, match="runs backwards"):
        rules.watch(memory, "east.a", NOON_MS - 1, {"tide_m": 2})


@settings(max_examples=25, deadline=None)
@given(readings=st.lists(st.one_of(st.none(), st.floats(-50, 50)), max_size=40), cut=st.integers(0, 40))
def test_memory_that_went_through_json_answers_the_same(
    tmp_path_factory: pytest.TempPathFactory, readings: list[float | None], cut: int
) -> None:
    signs = (
        f"a: {{source: level_cm, '>': 1, for: 2min, clear: -1, {TELLS}}}\n"
        f"b: {{source: level_cm, rise_per: 3min, '>': 5, {TELLS}}}\n"
        f"c: {{source: level_cm, stuck: 2min, {TELLS}}}\n"
        f"d: {{source: level_cm, absent: 2min, {TELLS}}}\n"
        f"e: {{source: level_cm, '>': 1, count: 2, within: 4min, {TELLS}}}"
    )
    rules = compiled(tmp_path_factory.mktemp("rules"), rule_text(signs))
    memory: dict[str, object] = {}
    through_json: dict[str, object] = {}
    for index, value in enumerate(readings):
        values = {} if value is None else {"level_cm": value}
        time_ms = NOON_MS + index * MINUTE_MS
        before = json.dumps(memory)
        facts, after = rules.watch(memory, "east.a", time_ms, values)
        assert json.dumps(memory) == before
        memory = after
        if index == cut:
            through_json = json.loads(json.dumps(through_json))
        again, through_json = rules.watch(through_json, "east.a", time_ms, values)
        assert again == facts
