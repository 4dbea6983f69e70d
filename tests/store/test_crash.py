"""kill -9: what was answered is there, what was not is whole or absent."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts import InboxKind
from store import Store

from .examples import START_MS

WRITER = """
import sys
from store import RuntimeCommit, Store
from tests.store.examples import PLACES, SIGNS, make_episode, make_reading

store = Store.open(sys.argv[1])
store.places.put(PLACES)
store.signs.put(SIGNS)
lease = store.leases.acquire("main", "writer", 3600, 0)
hour = 0
while True:
    report = store.inbox.append([make_reading(float(hour + i), hours=hour + i) for i in range(20)], 1)
    hour += 20
    step = RuntimeCommit(report.last_sequence, {"hour": hour}, [make_episode(hour)])
    store.runtime.commit(lease, step)
    print(report.last_sequence, hour, flush=True)
"""


@pytest.mark.parametrize("wait_s", [0.05, 0.3])
def test_what_was_answered_survives_kill_9(url: str, wait_s: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(wait_s)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    answered = [line for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]
    sequence, hour = map(int, answered[-1].split())

    with Store.open(url, create=False) as store:
        items = store.inbox.read(0, 1_000_000)
        assert [item.sequence for item in items] == list(range(1, len(items) + 1))
        assert len(items) >= sequence
        assert len(items) % 20 == 0  # a batch is there whole or not at all
        assert {item.kind for item in items} == {InboxKind.READING}
        archived = store.readings.series("flow", 0, 2 * START_MS)
        assert len(archived.times_ms) == len(items)
        state = store.runtime.load("main")
        assert state.offset >= sequence
        assert state.state["hour"] >= hour
        assert state.state["hour"] == state.offset  # offset, state and episode are of one step
        assert len(store.episodes.find()) == min(100, state.offset // 20)


HOLDER = """
import sys, time
from store import Store, counters

store = Store.open(sys.argv[1])
with store._database.write() as connection:
    counters.lock(connection, "inbox")
    counters.advance(connection, "inbox", 77)
    print("holding", flush=True)
    time.sleep(600)
"""


def test_a_writer_killed_within_its_transaction_leaves_nothing_and_blocks_nobody(url: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    process.kill()
    process.wait()
    process.stdout.close()
    with Store.open(url) as store:
        assert store.inbox.append_tick(5) == 1
