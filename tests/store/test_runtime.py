"""The runtime's one transaction: all of it, or nothing, and only for the holder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import LeaseError, OutboxMessage, StoreError
from store import RuntimeCommit, RuntimeState, Store

from .examples import START_MS, make_episode, make_incident, make_reading


def _message(key: str = "m-1") -> OutboxMessage:
    return OutboxMessage(key, "episode.opened", START_MS, {"title": "爆管", "probability": 0.1 + 0.2})


def test_a_shard_begins_with_nothing(store: Store) -> None:
    assert store.runtime.load("main") == RuntimeState(0, {})
    assert store.runtime.shards() == []


def test_a_step_is_written_whole(store: Store) -> None:
    store.inbox.append([make_reading(1.0), make_reading(2.0, hours=1)], 1)
    lease = store.leases.acquire("main", "a", 10, 0)
    episode, incident = make_episode(), make_incident()
    step = RuntimeCommit(2, {"watermark": {"meter": 5}, "timers": [1, 2]}, [episode], [incident], [_message()])
    store.runtime.commit(lease, step)
    assert store.runtime.load("main") == RuntimeState(2, {"watermark": {"meter": 5}, "timers": [1, 2]})
    assert store.runtime.shards() == ["main"]
    assert store.runtime.offset("main") == 2
    assert store.runtime.value("main", "timers") == [1, 2]
    assert store.runtime.value("main", "none") is None
    assert store.episodes.get(episode.id) == episode
    assert store.incidents.get(incident.id) == incident
    assert store.outbox.pending(10) == [_message()]


def test_none_deletes_a_key_and_others_stay(store: Store) -> None:
    lease = store.leases.acquire("main", "a", 10, 0)
    store.runtime.commit(lease, RuntimeCommit(0, {"a": 1, "b": 2, "c": 3}))
    store.runtime.commit(lease, RuntimeCommit(0, {"b": None, "c": 4, "never": None}))
    assert store.runtime.load("main").state == {"a": 1, "c": 4}


def test_a_holder_that_was_paused_and_wakes_up_writes_nothing(store: Store) -> None:
    store.inbox.append([make_reading(1.0)], 1)
    paused = store.leases.acquire("main", "a", 10, 0)
    taken = store.leases.acquire("main", "b", 10, 10_000)
    store.runtime.commit(taken, RuntimeCommit(1, {"by": "b"}))
    with pytest.raises(LeaseError, match=r"'a' lost the shard 'main'.*load the state again"):
        store.runtime.commit(paused, RuntimeCommit(1, {"by": "a"}, [make_episode()], [], [_message()]))
    assert store.runtime.load("main") == RuntimeState(1, {"by": "b"})
    assert store.episodes.find() == []
    assert store.outbox.pending(1) == []


def test_a_lease_given_back_writes_nothing(store: Store) -> None:
    lease = store.leases.acquire("main", "a", 10, 0)
    store.leases.release(lease)
    with pytest.raises(LeaseError, match="held by nobody"):
        store.runtime.commit(lease, RuntimeCommit(0))


@pytest.mark.parametrize("offset", [-1, 1, 4])
def test_the_offset_goes_neither_back_nor_beyond_the_inbox(store: Store, offset: int) -> None:
    store.inbox.append([make_reading(float(i), hours=i) for i in range(3)], 1)
    lease = store.leases.acquire("main", "a", 10, 0)
    store.runtime.commit(lease, RuntimeCommit(2))
    with pytest.raises(StoreError, match=rf"cannot become {offset}: it stands at 2, and the inbox ends at 3"):
        store.runtime.commit(lease, RuntimeCommit(offset, {"a": 1}))
    assert store.runtime.load("main") == RuntimeState(2, {})


@pytest.mark.parametrize("value", [float("nan"), [1.0, float("inf")], {"a": {1, 2}}, b"bytes"])
def test_state_that_is_no_json_is_refused_by_name(store: Store, value: Any) -> None:
    lease = store.leases.acquire("main", "a", 10, 0)
    with pytest.raises(StoreError, match=r"The state 'score' cannot be kept as JSON.*None for a missing number"):
        store.runtime.commit(lease, RuntimeCommit(0, {"fine": 1, "score": value}))
    assert store.runtime.load("main").state == {}


def test_an_episode_with_an_infinite_weight_is_refused_and_not_turned_into_null(store: Store) -> None:
    episode = make_episode()
    assert episode.explanation is not None
    endless = episode.explanation.contributions[0].model_copy(update={"weight": float("inf")})
    explanation = episode.explanation.model_copy(update={"contributions": (endless,)})
    lease = store.leases.acquire("main", "a", 10, 0)
    with pytest.raises(StoreError, match=rf"Episode '{episode.id}' cannot be kept as JSON"):
        store.runtime.commit(
            lease, RuntimeCommit(0, episodes=[episode.model_copy(update={"explanation": explanation})])
        )


def test_a_step_that_fails_at_its_end_leaves_nothing(store: Store) -> None:
    """The outbox comes last; a kind beyond its column is refused by PostgreSQL, a NULL by both."""
    store.inbox.append([make_reading(1.0)], 1)
    lease = store.leases.acquire("main", "a", 10, 0)
    broken = OutboxMessage("m-2", None, START_MS, {})  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="Cannot write the store"):
        store.runtime.commit(
            lease, RuntimeCommit(1, {"a": 1}, [make_episode()], [make_incident()], [_message(), broken])
        )
    assert store.runtime.load("main") == RuntimeState(0, {})
    assert store.episodes.find() == []
    assert store.incidents.find() == []
    assert store.outbox.pending(10) == []


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=_json)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_state_survives_to_the_last_digit(store: Store, value: Any) -> None:
    lease = store.leases.acquire("main", "a", 10, 0)
    store.runtime.commit(lease, RuntimeCommit(0, {"key": {"value": value}}))
    again = store.runtime.load("main").state["key"]["value"]
    assert again == value
    assert repr(again) == repr(value)


def test_messages_go_out_once_in_their_order(store: Store) -> None:
    lease = store.leases.acquire("main", "a", 10, 0)
    store.runtime.commit(lease, RuntimeCommit(0, outbox=[_message(f"m-{i}") for i in (3, 1, 2)]))
    assert [message.id for message in store.outbox.pending(2)] == ["m-3", "m-1"]
    assert store.outbox.mark_sent(["m-3", "m-1", "never"]) == 2
    assert store.outbox.mark_sent(["m-3"]) == 0
    store.runtime.commit(lease, RuntimeCommit(0, outbox=[_message("m-1"), _message("m-4")]))
    assert [message.id for message in store.outbox.pending(10)] == ["m-2", "m-4"]
