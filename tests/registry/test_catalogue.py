from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import PromotionError

from .conftest import FAILED, PASSED, Workbench


def test_an_alias_moved_by_hand_is_reported_and_put_back(bench: Workbench) -> None:
    for _ in range(2):
        bench.register()
    bench.registry.promote("flow.ridge", 1, "li.na")
    bench.client.set_registered_model_alias("flow.ridge", "champion", "2")
    assert bench.registry.version("flow.ridge", 1).status == "champion"  # the alias decides nothing
    (drift,) = bench.registry.reconcile()
    assert (drift.name, drift.expected, drift.found, drift.repaired) == ("flow.ridge", 1, 2, True)
    assert drift.detail == "The alias pointed to version 2, the ledger names version 1: put back."
    assert bench.alias() == 1
    assert bench.registry.reconcile() == []
    audit = bench.store.audit.entries()[-1]
    assert (audit.actor, audit.action, audit.subject) == ("registry", "alias.reconciled", "flow.ridge")


def test_an_alias_removed_by_hand_is_put_back(bench: Workbench) -> None:
    bench.register()
    bench.registry.promote("flow.ridge", 1, "li.na")
    bench.client.delete_registered_model_alias("flow.ridge", "champion")
    assert [(drift.expected, drift.found) for drift in bench.registry.reconcile()] == [(1, None)]
    assert bench.alias() == 1


def test_an_alias_set_without_any_promotion_is_taken_away(bench: Workbench) -> None:
    bench.register()
    bench.client.set_registered_model_alias("flow.ridge", "champion", "1")
    assert [(drift.expected, drift.found) for drift in bench.registry.reconcile()] == [(None, 1)]
    assert bench.alias() is None


def test_a_champion_that_mlflow_lost_is_reported_and_still_answers(bench: Workbench) -> None:
    for _ in range(2):
        bench.register()
    bench.registry.promote("flow.ridge", 1, "li.na")
    bench.client.delete_model_version("flow.ridge", "1")
    (drift,) = bench.registry.reconcile()
    assert (drift.expected, drift.repaired) == (1, False)
    assert "cannot be set" in drift.detail
    bench.client.delete_registered_model("flow.ridge")
    (drift,) = bench.registry.reconcile()
    assert (drift.expected, drift.repaired) == (1, False)
    assert "MLflow knows no such model" in drift.detail
    champion = bench.registry.champion("flow.ridge")
    assert champion is not None
    assert bench.releases.path(champion.manifest.sha256).is_file()


def test_versions_put_into_mlflow_by_hand_are_none_of_ours(bench: Workbench) -> None:
    bench.register()
    found = bench.client.get_model_version("flow.ridge", "1")
    bench.client.create_model_version("flow.ridge", found.source)
    bench.client.create_registered_model("by.hand")
    assert [version.version for version in bench.registry.versions("flow.ridge")] == [1]
    assert [(model.name, model.latest) for model in bench.registry.models()] == [("flow.ridge", 1)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("promote"), st.integers(1, 3)),
        st.tuples(st.just("rollback"), st.just(0)),
        st.tuples(st.just("meddle"), st.integers(1, 3)),
        st.tuples(st.just("reconcile"), st.just(0)),
    ),
    max_size=12,
)


@dataclass
class Expected:
    """What the ledger and the alias should say: promotions pile up, rollbacks take off, people meddle."""

    champions: list[int] = field(default_factory=list)
    shown: int | None = None

    def promote(self, bench: Workbench, number: int) -> None:
        bench.registry.promote("flow.ridge", number, "tester", override="trial" if number == 3 else None)
        if self.champions[-1:] != [number]:
            self.champions.append(number)
            self.shown = number

    def rollback(self, bench: Workbench, _: int) -> None:
        if len(self.champions) < 2:
            with pytest.raises(PromotionError, match="no earlier champion"):
                bench.registry.rollback("flow.ridge", "tester", "trial")
            return
        bench.registry.rollback("flow.ridge", "tester", "trial")
        self.champions.pop()
        self.shown = self.champions[-1]

    def meddle(self, bench: Workbench, number: int) -> None:
        bench.client.set_registered_model_alias("flow.ridge", "champion", str(number))
        self.shown = number

    def reconcile(self, bench: Workbench, _: int) -> None:
        present = self.champions[-1] if self.champions else None
        found = [(drift.found, drift.expected) for drift in bench.registry.reconcile()]
        assert found == ([] if self.shown == present else [(self.shown, present)])
        self.shown = present

    def statuses(self) -> dict[int, str]:
        expected = {1: "candidate", 2: "candidate", 3: "rejected"}
        if len(self.champions) > 1:
            expected[self.champions[-2]] = "previous"
        if self.champions:
            expected[self.champions[-1]] = "champion"
        return expected


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_alias_is_the_ledgers_projection_whatever_happens(
    make_workbench: Callable[[], Workbench], steps: list[tuple[str, int]]
) -> None:
    bench, expected = make_workbench(), Expected()
    for gates in (PASSED, PASSED, FAILED):
        bench.register(gates=gates)
    for step, number in steps:
        getattr(expected, step)(bench, number)
        assert bench.alias() == expected.shown
        found = {version.version: str(version.status) for version in bench.registry.versions("flow.ridge")}
        assert found == expected.statuses()
    assert bench.store.ledger.verify() is None
