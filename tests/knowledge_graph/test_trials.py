"""Rules carry their own tests, and those tests can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_graph import run_rule_tests

from .examples import UNDERPASS, loaded


def test_the_examples_own_tests_pass(tmp_path: Path) -> None:
    report = run_rule_tests(loaded(tmp_path, UNDERPASS))
    assert report.passed
    assert [result.kind for result in report.results] == ["positive", "negative"]


@pytest.mark.parametrize(
    ("given", "expect", "passed"),
    [
        ("{deep: 26, minutes: 2}", "expect: law.close_road", False),
        ("{deep: [26, 26, 26, 26]}", "expect: law.close_road", True),
        ("{deep: [26, null, 26, 26]}", "expect: law.close_road", True),
        ("{deep: [26, 10, 26, 26]}", "expect: law.close_road", False),
        ("{rain: 1.0}", "expect: orange", True),
        ("{rain: 1.0}", "expect: yellow", True),
        ("{rain: 1.0}", "expect: red", False),
        ("{rain: 1.0, pump_ready: true}", "expect_not: orange", True),
        ("{rain: 0.1}", "expect: none", True),
        ("{cam: 2000}", "expect: orange", True),
        ("{gate_closed: 4.55}", "expect: fact.gate_closed", True),
        ("{gate_closed: 4.54}", "expect: fact.gate_closed", False),
        ("{deep: high}", "expect: none", False),
        ("{deep: 26, days: 300}", "expect: none", False),
    ],
)
def test_what_is_given_and_what_comes(tmp_path: Path, given: str, expect: str, *, passed: bool) -> None:
    report = run_rule_tests(loaded(tmp_path, UNDERPASS + f"  - {{given: {given}, {expect}}}\n"))
    assert report.results[-1].passed is passed
    assert report.passed is passed
    assert bool(report.failures) is not passed


def test_drafts_are_not_run(tmp_path: Path) -> None:
    assert run_rule_tests(loaded(tmp_path, UNDERPASS.replace("status: trial", "status: draft"))).results == ()
