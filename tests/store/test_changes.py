"""Whoever waits for a decision learns of it at once, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable

from contracts import Action
from store import Store

from .examples import make_manifest


def test_a_promotion_ends_the_wait_of_another_process(open_store: Callable[[], Store]) -> None:
    reader, writer = open_store(), open_store()
    assert not reader.changes.wait(0.05)
    assert reader.decided() == (0, 0)
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(reader.changes.wait(60)))
    thread.start()
    writer.ledger.append(Action.PROMOTE, make_manifest(1), "li")
    thread.join()
    assert found == [True]
    assert reader.decided() == (1, 0)
    writer.audit.append("li", "model.unload", "flow-ridge")
    assert reader.changes.wait(60)
    assert reader.decided() == (1, 1)
    assert not reader.changes.wait(0)


def test_closing_ends_a_wait(open_store: Callable[[], Store]) -> None:
    store = open_store()
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(store.changes.wait(3600)))
    thread.start()
    store.changes.close()
    thread.join()
    assert found == [False]
