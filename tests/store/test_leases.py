"""Leases: one holder, tokens that only grow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts import LeaseError, StoreError
from store import Store


def test_a_second_holder_waits_until_the_lease_expires(store: Store) -> None:
    first = store.leases.acquire("main", "a", ttl_s=10, now_ms=1000)
    assert (first.holder, first.token, first.expires_ms) == ("a", 1, 11_000)
    with pytest.raises(LeaseError, match=r"held by 'a' until 1970-01-01T00:00:11Z"):
        store.leases.acquire("main", "b", ttl_s=10, now_ms=10_999)
    assert store.leases.acquire("main", "b", ttl_s=10, now_ms=11_000).token == 2


def test_shards_do_not_meet(store: Store) -> None:
    assert store.leases.acquire("north", "a", 10, 0).token == 1
    assert store.leases.acquire("south", "b", 10, 0).token == 1


def test_a_renewed_lease_keeps_its_token_even_when_it_had_expired(store: Store) -> None:
    lease = store.leases.acquire("main", "a", 10, 0)
    renewed = store.leases.renew(lease, 10, 60_000)
    assert (renewed.token, renewed.expires_ms) == (1, 70_000)
    with pytest.raises(LeaseError, match="held by 'a'"):
        store.leases.acquire("main", "b", 10, 69_999)


def test_a_lost_lease_cannot_be_renewed_and_its_release_harms_nobody(store: Store) -> None:
    lost = store.leases.acquire("main", "a", 10, 0)
    taken = store.leases.acquire("main", "b", 10, 10_000)
    with pytest.raises(LeaseError, match=r"'a' lost the shard 'main' \(token 1\); it is held by 'b' with token 2"):
        store.leases.renew(lost, 10, 10_001)
    store.leases.release(lost)
    assert store.leases.renew(taken, 10, 10_002).token == 2


def test_a_released_lease_is_free_at_once_and_its_token_is_not_given_again(store: Store) -> None:
    lease = store.leases.acquire("main", "a", 10, 0)
    store.leases.release(lease)
    with pytest.raises(LeaseError, match="held by nobody"):
        store.leases.renew(lease, 10, 1)
    assert store.leases.acquire("main", "b", 10, 1).token == 2


def test_the_same_name_takes_it_again_with_a_new_token(store: Store) -> None:
    former = store.leases.acquire("main", "a", 10, 0)
    assert store.leases.acquire("main", "a", 10, 1).token == 2
    with pytest.raises(LeaseError, match="lost the shard"):
        store.leases.renew(former, 10, 2)


def test_a_lease_lives_for_some_time(store: Store) -> None:
    with pytest.raises(StoreError, match="time to live above 0 s, was 0"):
        store.leases.acquire("main", "a", 0, 0)


def test_of_many_who_want_it_one_gets_it(open_store: Callable[[], Store], store: Store) -> None:
    stores = [open_store() for _ in range(6)]

    def want(i: int) -> bool:
        try:
            stores[i].leases.acquire("main", f"holder-{i}", 10, 0)
        except LeaseError:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sum(pool.map(want, range(len(stores)))) == 1
