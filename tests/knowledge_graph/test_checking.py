"""Value of information: what to look at next."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import EvidenceKind

from .examples import UNDERPASS, compiled
from .test_assessment import exceeds, say

WITH_PRIORS = UNDERPASS.replace("{yes: 4, of: 10,", "{yes: 4, of: 10, prior: {yes: 1, of: 10},").replace(
    "{stops: 5, of: 10}", "{stops: 9, of: 10, prior: {yes: 1, of: 2}}"
)


def test_the_pump_is_worth_a_look_when_it_decides(tmp_path: Path) -> None:
    checks = compiled(tmp_path, WITH_PRIORS).next_checks("east.a", "flood.underpass", [exceeds(1)])
    assert checks[0].node == "flood.underpass.pump_ready"
    best = checks[0]
    mixed = best.likely * best.if_yes + (1 - best.likely) * best.if_no
    cost, loss = 1.0, 5.0
    informed = best.likely * min(cost, loss * best.if_yes) + (1 - best.likely) * min(cost, loss * best.if_no)
    assert best.saves == pytest.approx(min(cost, loss * mixed) - informed)
    assert best.saves > 0


def test_what_cannot_change_the_decision_saves_nothing(tmp_path: Path) -> None:
    checks = compiled(tmp_path, WITH_PRIORS).next_checks("east.a", "flood.underpass")
    (pump,) = (check for check in checks if check.node.endswith("pump_ready"))
    assert pump.saves == pytest.approx(0, abs=1e-12)


def test_what_was_observed_is_not_asked_again(tmp_path: Path) -> None:
    pump = say("flood.underpass.pump_ready", EvidenceKind.OBSERVED, 1)
    checks = compiled(tmp_path, WITH_PRIORS).next_checks("east.a", "flood.underpass", [exceeds(1), pump])
    assert "flood.underpass.pump_ready" not in {check.node for check in checks}
