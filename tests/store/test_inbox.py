"""The inbox: one order, no loss, no doubles."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import Answer, DataError, InboxKind, Quality, Reading, UnknownSignError, Verdict
from store import IngestReport, RuntimeCommit, Store

from .examples import HOUR_MS, START, START_MS, make_episode, make_reading


def test_readings_come_back_in_the_order_of_arrival(store: Store) -> None:
    report = store.inbox.append([make_reading(101.5, hours=1), make_reading(None, sign="pressure")], received_ms=77)
    assert report == IngestReport(accepted=2, duplicates=0, revisions=0, last_sequence=2)
    first, second = store.inbox.read(after=0, limit=10)
    assert (first.sequence, first.kind, first.sign, first.time_ms) == (1, InboxKind.READING, "flow", START_MS + HOUR_MS)
    assert (first.value, first.quality, first.revision, first.received_ms) == (101.5, Quality.GOOD, 1, 77)
    assert (second.sequence, second.sign, second.value) == (2, "pressure", None)


def test_a_batch_sent_again_changes_nothing(store: Store) -> None:
    batch = [make_reading(1.0), make_reading(2.0), make_reading(2.0), make_reading(None, hours=1)]
    assert store.inbox.append(batch, 1) == IngestReport(3, 1, 1, 3)
    assert store.inbox.append(batch, 2) == IngestReport(0, 4, 0, 3)
    assert [item.sequence for item in store.inbox.read(0, 10)] == [1, 2, 3]


def test_another_value_or_quality_is_a_revision_and_both_are_kept(store: Store) -> None:
    store.inbox.append([make_reading(1.0)], 1)
    assert store.inbox.append([make_reading(1.5)], 2).revisions == 1
    assert store.inbox.append([make_reading(1.5, quality=Quality.BAD)], 3).revisions == 1
    kept = store.readings.revisions("flow", START_MS, START_MS)
    assert [(item.revision, item.value, item.quality) for item in kept] == [
        (1, 1.0, Quality.GOOD),
        (2, 1.5, Quality.GOOD),
        (3, 1.5, Quality.BAD),
    ]
    assert [item.sequence for item in kept] == [1, 2, 3]


def test_nothing_of_a_batch_with_an_unknown_sign_is_kept(store: Store) -> None:
    with pytest.raises(UnknownSignError, match=r"\['ghost'\].*signs import"):
        store.inbox.append([make_reading(1.0), make_reading(1.0, sign="ghost")], 1)
    assert store.inbox.last_sequence() == 0
    assert store.readings.revisions("flow", 0, 2 * START_MS) == []


def test_an_empty_batch_is_no_item(store: Store) -> None:
    assert store.inbox.append([], 1) == IngestReport(0, 0, 0, 0)


def test_ticks_and_readings_share_one_order(store: Store) -> None:
    store.inbox.append([make_reading(1.0)], 1)
    assert store.inbox.append_tick(START_MS) == 2
    store.inbox.append([make_reading(2.0, hours=1)], 1)
    items = store.inbox.read(1, 10)
    assert [(item.sequence, item.kind) for item in items] == [(2, InboxKind.TICK), (3, InboxKind.READING)]
    assert (items[0].time_ms, items[0].sign, items[0].payload) == (START_MS, None, None)


def test_reading_goes_on_after_a_number_and_stops_at_the_limit(store: Store) -> None:
    store.inbox.append([make_reading(float(i), hours=i) for i in range(10)], 1)
    assert [item.value for item in store.inbox.read(after=3, limit=4)] == [3.0, 4.0, 5.0, 6.0]
    assert store.inbox.read(after=10, limit=4) == []


def test_a_verdict_reaches_the_inbox_and_is_kept_once(store: Store) -> None:
    episode = make_episode()
    store.runtime.commit(store.leases.acquire("main", "a", 10, 0), RuntimeCommit(0, episodes=[episode]))
    verdict = Verdict(episode=episode.id, answer=Answer.CONFIRMED, operator="王", time=START, note="挖断")
    assert store.inbox.append_verdict(verdict) == 1
    assert store.inbox.append_verdict(verdict) == 1
    (item,) = store.inbox.read(0, 10)
    assert (item.kind, item.time_ms) == (InboxKind.VERDICT, START_MS)
    assert Verdict.model_validate(item.payload) == verdict
    assert store.verdicts.find(episode.id) == [verdict]


def test_a_verdict_on_no_episode_is_refused(store: Store) -> None:
    verdict = Verdict(episode="ep-none", answer=Answer.FALSE, operator="li", time=START)
    with pytest.raises(DataError, match="no episode 'ep-none'"):
        store.inbox.append_verdict(verdict)
    assert store.inbox.last_sequence() == 0


def test_a_reader_never_skips_what_commits_later(open_store: Callable[[], Store], store: Store) -> None:
    """Writers race; a reader that only goes by numbers must still see each item exactly once, in order."""
    writers, rounds = 4, 12

    def write(writer: int) -> None:
        mine = open_store()
        for i in range(rounds):
            mine.inbox.append([make_reading(float(writer), hours=writer * 1000 + i)], 1)

    seen: list[int] = []
    with ThreadPoolExecutor(writers) as pool:
        running = [pool.submit(write, writer) for writer in range(writers)]
        while len(seen) < writers * rounds:
            seen.extend(item.sequence for item in store.inbox.read(seen[-1] if seen else 0, 5))
            if all(future.done() for future in running):
                assert all(future.exception() is None for future in running)
    assert seen == list(range(1, writers * rounds + 1))


_values = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
_readings = st.builds(
    make_reading,
    _values,
    hours=st.integers(0, 4),
    sign=st.sampled_from(["flow", "pressure"]),
    quality=st.sampled_from(Quality),
)


@given(batches=st.lists(st.lists(_readings, max_size=8), max_size=6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_told_is_kept_exactly_once(store: Store, batches: list[list[Reading]]) -> None:
    before = store.inbox.last_sequence()
    for batch in batches:
        report = store.inbox.append(batch, 1)
        assert report.accepted + report.duplicates == len(batch)
    items = store.inbox.read(before, 1000)
    kept = {(item.sign, item.time_ms, item.value, item.quality) for item in items}
    assert len(kept) == len(items)
    assert [item.sequence for item in items] == list(range(before + 1, store.inbox.last_sequence() + 1))
    for sign in ("flow", "pressure"):
        archived = store.readings.revisions(sign, START_MS, START_MS + 10 * HOUR_MS)
        told = {(item.time, item.value, item.quality) for batch in batches for item in batch if item.sign == sign}
        assert {(item.time_ms, item.value, item.quality) for item in archived} >= {
            (START_MS + (time - START).total_seconds() * 1000, value, quality) for time, value, quality in told
        }
