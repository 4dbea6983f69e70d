"""A semantic diff says what a reviewer would say, and nothing about spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import ConfigurationError, Level
from knowledge_graph import PastCase, compare_cases, compare_rules, compile_rules, read_cases

from .examples import CLOSING, RANKED_CAUSES, TABLE_OF_CAUSES, UNDERPASS, loaded


def changes(tmp_path: Path, old: str, new: str) -> list[str]:
    before, after = loaded(tmp_path / "old", old), loaded(tmp_path / "new", new)
    return [change.text.en for change in compare_rules(before, after)]


def test_spelling_order_and_units_that_mean_the_same_are_no_change(tmp_path: Path) -> None:
    respelt = (
        UNDERPASS.replace('">=": 25, for: 3min', 'for: 180s, ">=": 0.25 m')
        .replace("horizon: 60min", "horizon: 1h")
        .replace("status: trial\n", "# why\nquiet: 60min\nstatus: trial\n")
    )
    assert changes(tmp_path, UNDERPASS, respelt) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{yes: 6, of: 10}", "{yes: 7, of: 10}", ["cause rain: 6/10 → 7/10"]),
        ('">=": 25', '">=": 30', ["sign deep.>=: 25 cm → 30 cm"]),
        ("for: 3min", "for: 5min", ["sign deep.for: 3 min → 5 min"]),
        ("{cost: 4, loss: 8}", "{cost: 3, loss: 8}", ["level orange: 4/8 → 3/8"]),
        (', when: "tide_m >= 4.55"', "", ["cause gate_closed.when: removed tide_m >= 4.55"]),
        ("inhibits: {pump_ready: {stops: 5, of: 10}}\n", "", ["inhibitor pump_ready: removed 5/10"]),
        ("expect: law.close_road}", "expect: law.close_road, note: why}", None),
    ],
)
def test_what_changed_is_said_in_its_own_words(tmp_path: Path, old: str, new: str, said: list[str] | None) -> None:
    found = changes(tmp_path, UNDERPASS, UNDERPASS.replace(old, new, 1))
    if said is None:
        assert len(found) == 2, "a test that reads otherwise is one test less and one more"
        return
    assert found == said


def test_tables_change_row_by_row(tmp_path: Path) -> None:
    found = changes(tmp_path, CLOSING, CLOSING.replace("0.25 m", "30"))
    assert found == ["table closing.rows.1: depth: >= 0.25 m, law: close_road → depth: >= 30, law: close_road"]
    found = changes(tmp_path, TABLE_OF_CAUSES, TABLE_OF_CAUSES.replace("yes: 9", "yes: 8"))
    assert found == ["table rain + tide: 9/10 → 8/10"]
    assert changes(tmp_path, RANKED_CAUSES, RANKED_CAUSES.replace("spread: 0.3", "spread: 0.2")) == [
        "ranked.spread: 0.3 → 0.2"
    ]


def test_rules_that_come_and_go(tmp_path: Path) -> None:
    before, after = loaded(tmp_path / "old", UNDERPASS), loaded(tmp_path / "new", CLOSING)
    assert [(change.rule, change.text.en.partition(" ")[0]) for change in compare_rules(before, after)] == [
        ("flood.closing", "the"),
        ("flood.underpass", "the"),
    ]


def test_past_cases_that_change_level(tmp_path: Path) -> None:
    old = compile_rules(loaded(tmp_path / "old", UNDERPASS))
    new = compile_rules(loaded(tmp_path / "new", UNDERPASS.replace('">=": 25', '">=": 30')))
    cases = [
        PastCase("storm 1", {"deep": [20, 26, 27, 28, 29]}),
        PastCase("storm 2", {"deep": 31, "minutes": 3}, risk="flood.underpass"),
        PastCase("drizzle", {"rain": 0.1}),
        PastCase("elsewhere", {"depth": 3}),
        PastCase("nonsense", {"deep": "high"}),
    ]
    report = compare_cases(old, new, cases)
    assert report.text.en == "1 of 5 past cases change level"
    assert [(one.case, one.before, one.after) for one in report.changes] == [("storm 1", Level.RED, None)]
    assert report.transitions() == {(Level.RED, None): 1}
    assert [one.where for one in report.unusable] == ["elsewhere", "nonsense"]


def test_cases_are_read_from_csv_and_json() -> None:
    rows = 'id,risk,place,deep,pump_ready\na,flood.underpass,,"[1, null, 3]",true\nb,,east.a,26,\n'
    expected = [
        PastCase("a", {"deep": [1, None, 3], "pump_ready": True}, "flood.underpass"),
        PastCase("b", {"deep": 26}, None, "east.a"),
    ]
    assert read_cases("cases.csv", rows.encode()) == expected
    text = '[{"id": "a", "risk": "flood.underpass", "given": {"deep": [1, null, 3], "pump_ready": true}},'
    text += '{"id": "b", "place": "east.a", "given": {"deep": 26}}]'
    assert read_cases("cases.json", text.encode()) == expected


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cases.csv", b"id,place\na,b\n", "names no entry"),
        ("cases.csv", b"id,deep\na,deep\n", "is no value"),
        ("cases.csv", b"id,deep\na,1,2\n", "more cells than the header"),
        ("cases.csv", b"\xff\xfe", "cannot be read"),
        ("cases.json", b"{}", "is no list"),
        ("cases.json", b"[1]", "has no 'given'"),
        ("cases.json", b"[" * 100_000, "cannot be read"),
        ("cases.json", b"{", "cannot be read"),
    ],
)
def test_cases_that_cannot_be_read_are_problems(name: str, content: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read_cases(name, content)
