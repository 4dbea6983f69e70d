"""Every mistake is reported with its line and a remedy, all at once, and none with a traceback."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import ConfigurationError
from knowledge_graph import check, load_procedures, load_rules, run_rule_tests
from knowledge_graph.documents import MAXIMUM_BYTES, MAXIMUM_NODES
from knowledge_graph.loading import MAXIMUM_FOLDER_BYTES

from .examples import (
    CLOSING,
    PLACES,
    PROCEDURES,
    RANKED_CAUSES,
    SIGNS,
    TABLE_OF_CAUSES,
    UNDERPASS,
    checked,
    compiled,
    loaded,
    rule_text,
    write_rules,
)
from .mistakes import MISTAKES, Mistake


def test_the_example_is_sound(tmp_path: Path) -> None:
    report = checked(tmp_path, underpass=UNDERPASS)
    assert report.passed
    assert report.problems == ()
    assert {problem.where for problem in report.advice} >= {"underpass.yaml:8", "underpass.yaml:22"}


@pytest.mark.parametrize("text", [CLOSING, TABLE_OF_CAUSES, RANKED_CAUSES])
def test_the_other_examples_are_sound(tmp_path: Path, text: str) -> None:
    ruleset = loaded(tmp_path, text)
    assert run_rule_tests(ruleset).failures == ()


def test_the_corpus_is_large_enough() -> None:
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_each_mistake_names_its_line_and_a_remedy(tmp_path: Path, mistake: Mistake) -> None:
    assert mistake.old in mistake.text
    report = checked(tmp_path, underpass=mistake.text.replace(mistake.old, mistake.new, 1))
    assert not report.passed
    assert all(problem.remedy for problem in report.problems)
    found = [problem for problem in report.problems if mistake.says in f"{problem.message} {problem.remedy}"]
    assert found, report.problems
    assert f"underpass.yaml:{mistake.line}" in {problem.where for problem in found}


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    write_rules(
        tmp_path,
        {
            "a.yaml": UNDERPASS.replace("level_cm", "nobody").replace("SOP-FL-03", "SOP-NO"),
            "b.yaml": rule_text("x: {source: tide_m}", rule_id="b"),
            "c.yaml": "id: [",
        },
    )
    with pytest.raises(ConfigurationError, match="has 5 problems") as caught:
        load_rules(tmp_path, SIGNS, PLACES, PROCEDURES)
    assert {problem.where.split(":")[0] for problem in caught.value.problems} == {"a.yaml", "b.yaml", "c.yaml"}


def test_advice_on_what_is_claimed_and_on_rules_that_end(tmp_path: Path) -> None:
    text = UNDERPASS.replace("leak: {", "until: 2026-07-20\nbase_rate: {yes: 1, of: 10}\nleak: {")
    write_rules(tmp_path, {"a.yaml": text})

    def advice(today: date | None) -> list[str]:
        report = check(tmp_path, SIGNS, PLACES, PROCEDURES, today=today)
        assert report.passed
        return [problem.message for problem in report.advice if "base" in problem.message or "ed on" in problem.message]

    assert advice(None) == ["without evidence the risk has 0.002, the base rate says 0.1."]
    assert "the rule ended on 2026-07-20." in advice(date(2026, 8, 1))
    assert any(
        "ends on" in problem.message
        for problem in check(tmp_path, SIGNS, PLACES, PROCEDURES, today=date(2026, 7, 1)).advice
    )


def test_a_folder_beyond_its_bounds_is_refused_unread(tmp_path: Path) -> None:
    filler = "#" * (MAXIMUM_BYTES - 1)
    for number in range(MAXIMUM_FOLDER_BYTES // MAXIMUM_BYTES + 1):
        (tmp_path / f"{number}.yaml").write_text(filler, encoding="utf-8")
    report = check(tmp_path, SIGNS, PLACES, PROCEDURES)
    assert [problem.remedy for problem in report.problems] == ["Split the pack."]


def test_one_id_in_two_files(tmp_path: Path) -> None:
    report = checked(tmp_path, a=UNDERPASS, b=UNDERPASS)
    assert [str(problem) for problem in report.problems] == [
        "b.yaml:1: the id 'flood.underpass' also stands in a.yaml. Give each risk an id of its own."
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a" * (MAXIMUM_BYTES + 1), "more than"),
        ("x: [" + "1," * (MAXIMUM_NODES + 1) + "]", "holds more than"),
        ("[" * 10_000, "nests deeper"),
        ("a: &a [x]\nb: &b [*a, *a]", "anchor"),
        ("- a\n- b", "is no mapping"),
        ("", "is no mapping"),
        ("just a word", "is no mapping"),
        ("\ufeff\ufeff: :", "cannot"),
    ],
    ids=["bytes", "values", "depth", "bomb", "list", "empty", "word", "marks"],
)
def test_files_beyond_their_bounds_are_refused(tmp_path: Path, content: str, says: str) -> None:
    report = checked(tmp_path, bad=content)
    assert not report.passed
    if says != "cannot":
        assert says in report.problems[0].message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00id")
    report = check(tmp_path, SIGNS, PLACES, PROCEDURES)
    assert "cannot be read" in report.problems[0].message


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    assert "is no folder" in check(tmp_path / "no", SIGNS, PLACES, PROCEDURES).problems[0].message
    assert "holds no *.yaml" in check(tmp_path, SIGNS, PLACES, PROCEDURES).problems[0].message


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    lines = UNDERPASS.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(lines) - 1))
        start = data.draw(st.integers(0, len(lines[index])))
        junk = data.draw(st.text(alphabet="{}[]:,'\"-&*!|>%@#\t \x00az09é零~", max_size=6))
        lines[index] = lines[index][:start] + junk + lines[index][start + data.draw(st.integers(0, 8)) :]
    report = checked(tmp_path_factory.mktemp("rules"), damaged="\n".join(lines))
    assert report.passed == (not report.problems)
    assert all(problem.where.startswith("damaged.yaml") for problem in report.problems)


def test_a_dimension_serves_every_place_with_such_a_sign(tmp_path: Path) -> None:
    rules = compiled(
        tmp_path, rule_text("low: {source: flow, '<': 9, seen: {yes: 9, of: 10}, otherwise: {yes: 1, of: 10}}")
    )
    assert rules.places == ("east.a", "east.b")
    facts, _ = rules.watch({}, "east.b", 0, {"flow.b": 8, "flow.a": 10})
    assert [(fact.sign, fact.state) for fact in facts] == [("flow.b", True)]


LOW = "low: {source: flow, '<': 9, seen: {yes: 9, of: 10}, otherwise: {yes: 1, of: 10}}"


def test_thresholds_per_place(tmp_path: Path) -> None:
    (tmp_path / "rule0.csv").write_text("place,sign,value\neast.b,low,36 m3/h\n", encoding="utf-8")
    rules = compiled(tmp_path, rule_text(LOW))
    facts_a, _ = rules.watch({}, "east.a", 0, {"flow.a": 9.5})
    facts_b, _ = rules.watch({}, "east.b", 0, {"flow.b": 9.5})
    assert [facts_a[0].state, facts_b[0].state] == [False, True]
    assert "below 10 l/s" in facts_b[0].reason.en


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        ("place,sign\n", "low.csv:1", "columns"),
        ("place,sign,value\neast.z,low,9\n", "low.csv:2", "does not apply"),
        ("place,sign,value\neast.a,high,9\n", "low.csv:2", "no entry 'high'"),
        ("place,sign,value\neast.a,low,9 kPa\n", "low.csv:2", "does not convert"),
        ("place,sign,value\neast.a,low,9\neast.a,low,8\n", "low.csv:3", "stands twice"),
        ("place,sign,value\neast.a,low,\n", "low.csv:2", "no quantity"),
        ('place,sign,value\n"east.a,low,9\n', "low.csv", "cannot be read"),
    ],
)
def test_threshold_files_name_their_line_too(tmp_path: Path, content: str, where: str, says: str) -> None:
    (tmp_path / "low.csv").write_text(content, encoding="utf-8")
    report = checked(tmp_path, low=rule_text(LOW))
    assert [problem.where for problem in report.problems] == [where]
    assert says in report.problems[0].message


def test_units_are_converted(tmp_path: Path) -> None:
    ruleset = loaded(tmp_path, UNDERPASS.replace('">=": 25,', '">=": 0.25 m,').replace("at: 50mm/h", "at: 5 cm/h"))
    (rule,) = ruleset.rules
    assert rule.conditions["deep"].threshold == 25
    assert rule.brought["rain"].level == 50


PROCEDURE = "SOP-1:\n  title: {zh: 关闭, en: Close}\n  lead: 交警\n  steps:\n    - {zh: 一, en: one}\n"


def test_procedures_in_both_languages(tmp_path: Path) -> None:
    path = tmp_path / "procedures.yaml"
    path.write_text(PROCEDURE, encoding="utf-8")
    procedure = load_procedures(path)["SOP-1"]
    assert (procedure.title.en, procedure.lead.zh, len(procedure.steps)) == ("Close", "交警", 1)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("    - {zh: 一, en: one}\n", "    []\n", "procedures.yaml:4"),
        ("  lead: 交警\n", "", "procedures.yaml:1"),
        ("en: Close", "fr: Fermer", "procedures.yaml:2"),
        (PROCEDURE, "- a", "procedures.yaml:1"),
        (PROCEDURE, "SOP-1: word", "procedures.yaml:1"),
    ],
)
def test_a_wrong_procedure_names_its_line(tmp_path: Path, old: str, new: str, where: str) -> None:
    path = tmp_path / "procedures.yaml"
    path.write_text(PROCEDURE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="The procedures") as caught:
        load_procedures(path)
    assert where in {problem.where for problem in caught.value.problems}
    assert all(problem.remedy for problem in caught.value.problems)
