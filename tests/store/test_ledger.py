"""The ledger: who is champion, now and then, and nobody can rewrite it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from contracts import Action, PromotionError, StoreError, from_ms
from store import ChainBreak, ChainHead, Store
from store.schema import ledger

from .conftest import Clock
from .examples import make_manifest


def test_the_last_promotion_is_champion_and_time_goes_back_to_any(store: Store, clock: Clock) -> None:
    assert store.ledger.champion("flow-ridge") is None
    first = store.ledger.append(Action.PROMOTE, make_manifest(1), "li", "passed")
    clock.now_ms += 60_000
    second = store.ledger.append(Action.PROMOTE, make_manifest(2), "li")
    assert store.ledger.champion("flow-ridge") == second
    assert store.ledger.champion("flow-ridge", at=second.time) == second
    assert store.ledger.champion("flow-ridge", at=second.time - timedelta(milliseconds=1)) == first
    assert store.ledger.champion("flow-ridge", at=first.time - timedelta(milliseconds=1)) is None
    assert (first.sequence, first.time, first.reason) == (1, from_ms(clock.now_ms - 60_000), "passed")
    assert second.previous_hash == first.hash
    assert second.manifest == make_manifest(2)


def test_champions_are_by_name(store: Store) -> None:
    store.ledger.append(Action.PROMOTE, make_manifest(1, "a"), "li")
    b = store.ledger.append(Action.PROMOTE, make_manifest(1, "b"), "li")
    a = store.ledger.append(Action.PROMOTE, make_manifest(2, "a"), "li")
    assert store.ledger.champions() == {"a": a, "b": b}
    assert store.ledger.previous("b") is None
    assert [entry.sequence for entry in store.ledger.entries("a")] == [1, 3]
    assert [entry.sequence for entry in store.ledger.entries(after=1, limit=1)] == [2]
    assert store.ledger.last_sequence() == 3


def test_rolling_back_twice_goes_back_two_releases(store: Store) -> None:
    for version in (1, 2, 3):
        store.ledger.append(Action.PROMOTE, make_manifest(version), "li")
    for expected in (2, 1):
        previous = store.ledger.previous("flow-ridge")
        assert previous is not None
        assert previous.manifest.version == expected
        store.ledger.append(Action.ROLLBACK, previous.manifest, "li", "worse at night")
    assert store.ledger.previous("flow-ridge") is None
    champion = store.ledger.champion("flow-ridge")
    assert champion is not None
    assert (champion.manifest.version, champion.action) == (1, Action.ROLLBACK)


def test_what_was_rolled_back_from_is_not_where_a_rollback_leads(store: Store) -> None:
    for version in (1, 2):
        store.ledger.append(Action.PROMOTE, make_manifest(version), "li")
    store.ledger.append(Action.ROLLBACK, make_manifest(1), "li")
    store.ledger.append(Action.PROMOTE, make_manifest(3), "li")
    previous = store.ledger.previous("flow-ridge")
    assert previous is not None
    assert previous.manifest.version == 1


def test_promoting_the_champion_again_keeps_its_way_back(store: Store) -> None:
    for version in (1, 2, 2):
        store.ledger.append(Action.PROMOTE, make_manifest(version), "li")
    previous = store.ledger.previous("flow-ridge")
    assert previous is not None
    assert previous.manifest.version == 1


@pytest.mark.parametrize("version", [2, 7])
def test_nothing_is_rolled_back_to_what_was_not_champion_before(store: Store, version: int) -> None:
    for promoted in (1, 2):
        store.ledger.append(Action.PROMOTE, make_manifest(promoted), "li")
    with pytest.raises(PromotionError, match=rf"version {version} was not champion before the present one"):
        store.ledger.append(Action.ROLLBACK, make_manifest(version), "li")
    assert store.ledger.last_sequence() == 2


def test_an_override_says_why(store: Store) -> None:
    with pytest.raises(PromotionError, match="'flow-ridge' version 1 needs a reason"):
        store.ledger.append(Action.OVERRIDE, make_manifest(), "li", "  ")
    assert store.ledger.append(Action.OVERRIDE, make_manifest(), "li", "storm tonight").reason == "storm tonight"


def test_time_never_goes_back_along_the_ledger(store: Store, clock: Clock) -> None:
    first = store.ledger.append(Action.PROMOTE, make_manifest(1), "li")
    clock.now_ms -= 3_600_000
    second = store.ledger.append(Action.PROMOTE, make_manifest(2), "li")
    assert second.time == first.time
    assert store.ledger.champion("flow-ridge", at=first.time) == second


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET actor = 'nobody'",
        "UPDATE ledger SET actor = 'nobody' WHERE sequence = 2",
        "DELETE FROM ledger WHERE sequence = 3",
        "DELETE FROM audit",
        "UPDATE audit SET detail = '{}'",
    ],
)
def test_the_database_itself_refuses_to_rewrite(store: Store, statement: str) -> None:
    _fill(store)
    with pytest.raises(StoreError, match="append-only"), store._database.write() as connection:
        connection.execute(text(statement))
    assert store.ledger.verify() is None
    assert store.audit.verify() is None


def test_the_database_refuses_to_replace_or_empty(store: Store) -> None:
    _fill(store)
    if store._database.is_sqlite:
        forbidden = "INSERT OR REPLACE INTO ledger SELECT * FROM ledger WHERE sequence = 2"
    else:
        forbidden = "TRUNCATE ledger"
    with pytest.raises(StoreError, match="append-only"), store._database.write() as connection:
        connection.execute(text(forbidden))
    assert store.ledger.last_sequence() == 3


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE ledger SET actor = 'nobody' WHERE sequence = 2", ChainBreak(2, "its content is not what was sealed")),
        ("UPDATE ledger SET before = NULL WHERE sequence = 3", ChainBreak(3, "its content is not what was sealed")),
        ("DELETE FROM ledger WHERE sequence = 1", ChainBreak(1, "it is missing; entry 2 follows entry 0")),
        ("DELETE FROM ledger WHERE sequence = 3", ChainBreak(3, "it is missing; the chain should reach entry 3")),
        (
            "UPDATE ledger SET previous_hash = hash WHERE sequence = 3",
            ChainBreak(3, "it does not continue the entry before it"),
        ),
    ],
)
def test_the_first_entry_that_was_tampered_with_is_found(store: Store, statement: str, broken: ChainBreak) -> None:
    _fill(store)
    assert store.ledger.verify() is None
    _tamper(store, statement)
    assert store.ledger.verify() == broken


def test_a_chain_that_was_cut_and_grown_again_does_not_pass_through_the_head_kept_elsewhere(store: Store) -> None:
    _fill(store)
    head = store.ledger.head()
    assert store.ledger.verify(head) is None
    _tamper(store, "DELETE FROM ledger WHERE sequence = 3", "UPDATE counter SET value = 2 WHERE name = 'ledger'")
    assert store.ledger.verify() is None
    assert store.ledger.verify(head) == ChainBreak(3, "it is missing; the chain should reach entry 3")
    store.ledger.append(Action.PROMOTE, make_manifest(9), "mallory")
    assert store.ledger.verify() is None
    assert store.ledger.verify(head) == ChainBreak(3, "it is not the entry that was sealed elsewhere")


def test_an_empty_chain_is_whole(store: Store) -> None:
    assert store.ledger.head() == ChainHead()
    assert store.ledger.verify() is None


def test_writers_who_race_make_one_chain(open_store: Callable[[], Store], store: Store) -> None:
    def promote(i: int) -> None:
        mine = open_store()
        for version in range(1, 9):
            mine.ledger.append(Action.PROMOTE, make_manifest(version, f"model-{i}"), "li")
            mine.audit.append("li", "model.promoted", f"model-{i}", {"version": version})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(promote, range(4)))
    assert store.ledger.last_sequence() == 32
    assert store.ledger.verify() is None
    assert store.audit.verify() is None
    assert len(store.audit.entries()) == 32


@given(steps=st.lists(st.one_of(st.integers(1, 4), st.none()), max_size=10))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_promotions_pile_up_and_rollbacks_take_them_off(store: Store, steps: list[int | None]) -> None:
    """A number promotes that version, None rolls back; the ledger must behave like a plain stack."""
    name = f"model-{store.ledger.last_sequence()}"
    stack: list[int] = []
    for version in steps:
        if version is not None:
            store.ledger.append(Action.PROMOTE, make_manifest(version, name), "li")
            if stack[-1:] != [version]:
                stack.append(version)
        elif (previous := store.ledger.previous(name)) is not None:
            store.ledger.append(Action.ROLLBACK, previous.manifest, "li")
            stack.pop()
        champion, previous = store.ledger.champion(name), store.ledger.previous(name)
        assert (champion.manifest.version if champion else None) == (stack[-1] if stack else None)
        assert (previous.manifest.version if previous else None) == (stack[-2] if len(stack) > 1 else None)


@pytest.mark.slow
def test_a_hundred_thousand_promotions_are_searched_by_index(store: Store, clock: Clock) -> None:
    template = _row_of(store, store.ledger.append(Action.PROMOTE, make_manifest(1), "li").sequence)
    rows = [
        {**template, "sequence": i, "time_ms": clock.now_ms + i, "version": i, "before": None}
        for i in range(2, 100_001)
    ]
    with store._database.write() as connection:
        connection.execute(insert(ledger), rows)
    middle = store.ledger.champion("flow-ridge", at=from_ms(clock.now_ms + 50_000))
    assert middle is not None
    assert middle.sequence == 50_000
    with store._database.read() as connection:
        query = "SELECT * FROM ledger WHERE name = 'a' AND time_ms <= 1 ORDER BY time_ms DESC, sequence DESC LIMIT 1"
        explain = "EXPLAIN QUERY PLAN " if store._database.is_sqlite else "EXPLAIN "
        plan = " ".join(str(row) for row in connection.execute(text(explain + query)))
    assert "ix_ledger_name_time_ms_sequence" in plan


def _fill(store: Store) -> None:
    for version in (1, 2, 3):
        store.ledger.append(Action.PROMOTE, make_manifest(version), "li")
        store.audit.append("li", "model.promoted", "flow-ridge", {"version": version})


def _row_of(store: Store, sequence: int) -> dict[str, object]:
    with store._database.read() as connection:
        return connection.execute(ledger.select().where(ledger.c.sequence == sequence)).one()._asdict()


def _tamper(store: Store, *statements: str) -> None:
    """Do what someone may who owns the database: take the guards off and write."""
    if store._database.file is not None:
        with closing(sqlite3.connect(store._database.file)) as raw, raw:
            for verb in ("update", "delete"):
                raw.execute(f"DROP TRIGGER ledger_no_{verb}")
            for statement in statements:
                raw.execute(statement)
        return
    with store._database.write() as connection:
        connection.execute(text("DROP TRIGGER ledger_append_only ON ledger"))
        connection.execute(text("ALTER TABLE ledger DROP CONSTRAINT fk_ledger_before"))
        for statement in statements:
            connection.execute(text(statement))
