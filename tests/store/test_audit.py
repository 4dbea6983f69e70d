"""The audit: written once, read in order."""

from __future__ import annotations

import pytest

from contracts import StoreError
from store import ChainHead, Store

from .conftest import Clock


def test_entries_come_back_in_order(store: Store, clock: Clock) -> None:
    first = store.audit.append("王", "verdict.given", "ep-1", {"answer": "confirmed", "p": 0.1 + 0.2})
    clock.now_ms += 5
    second = store.audit.append("li", "key.made", "viewer")
    assert store.audit.entries() == [first, second]
    assert store.audit.entries(after=1) == [second]
    assert (second.time_ms, second.detail) == (clock.now_ms, {})
    assert store.audit.head() == ChainHead(2, second.hash)
    assert store.audit.verify(ChainHead(1, first.hash)) is None


def test_a_detail_that_is_no_json_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="detail of an audit entry cannot be kept as JSON"):
        store.audit.append("li", "verdict.given", "ep-1", {"answer": object()})
    assert store.audit.entries() == []
