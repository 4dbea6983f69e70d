"""A risk written from scratch by interview passes the check and its own tests without hand edits."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import Language
from knowledge_graph import Interview, compile_rules, run_mutations, run_rule_tests

from .examples import PROCEDURES, SIGNS, checked

ENGLISH = {
    "id": "test.low",
    "title": "Low flow",
    "owner": "Water",
    "expert": "v1",
    "source": "flow.a",
    "when": "< 36 m3/h",
    "seen": "9 of 10",
    "otherwise": "1 of 1000",
    "leak": "1 of 500",
    "horizon": "6h",
    "bar": "1 of 10",
    "do": "SOP-FL-03",
}
CHINESE = {
    **ENGLISH,
    "id": "test.deep",
    "title": "是: {积水} #1",
    "owner": "yes",
    "source": "level_cm",
    "when": ">= 25",
    "seen": "10次里9次",
    "otherwise": "1000次里1次",
    "leak": "500 次中 1 次",
    "bar": "10里1",
}


@pytest.mark.parametrize("answers", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_what_it_writes_needs_no_edit(tmp_path: Path, answers: dict[str, str]) -> None:
    interview = Interview(SIGNS, PROCEDURES)
    while interview.question is not None:
        assert interview.answer(answers[interview.question.key]) is None
    report = checked(tmp_path, written=interview.rule())
    assert report.problems == ()
    assert report.ruleset is not None
    tests = run_rule_tests(report.ruleset)
    assert [result.kind for result in tests.results] == ["positive", "negative", "boundary"]
    assert tests.passed
    survivors = run_mutations(report.ruleset).survivors
    assert not [mutant for mutant in survivors if "operator" in mutant.change]
    assert compile_rules(report.ruleset).places == ("east.a",)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("id", "two words"),
        ("title", ""),
        ("source", "nobody"),
        ("when", "low"),
        ("when", "< 5 kPa"),
        ("seen", "often"),
        ("seen", "10 of 10"),
        ("seen", "0 of 10"),
        ("horizon", "soon"),
        ("do", "SOP-NO"),
    ],
)
def test_an_answer_that_was_not_understood_is_asked_again(key: str, wrong: str) -> None:
    for language, word in ((Language.EN, "For example"), (Language.ZH, "没听懂")):
        interview = Interview(SIGNS, PROCEDURES, language)
        while interview.question is not None and interview.question.key != key:
            interview.answer(ENGLISH[interview.question.key])
        asked = interview.question
        complaint = interview.answer(wrong)
        assert complaint is not None
        assert word in complaint
        assert interview.question == asked


def test_an_open_interview_writes_nothing() -> None:
    with pytest.raises(ValueError, match="'id' is still open"):
        Interview(SIGNS, PROCEDURES).rule()
