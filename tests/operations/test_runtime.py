from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts import AccessError, Action, Answer, Layer, LeaseError, Status, Verdict, from_ms
from operations import Backtest, LocalModels, RuntimeSettings, backtest, configure, run_runtime, runtime_status
from operations.runtime import now_ms
from store import EpisodeFilter, Store
from tests.early_warning.worlds import HOUR_MS, MODEL, OTHER, PUMP, START_MS, SUPPLY, flow, stream

from .conftest import Site, manifest

DROP = {60: 60.0, 61: 40.0, 62: 3.0, 63: 41.0}
ROOT = Path(__file__).parents[2]


@contextmanager
def running(settings: RuntimeSettings) -> Iterator[list[BaseException]]:
    """Run a runtime in a thread; what it raised is in the list."""
    stop, raised = threading.Event(), []

    def work() -> None:
        try:
            run_runtime(settings, stop)
        except BaseException as exc:  # noqa: BLE001 - handed to the test
            raised.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def wait_until(condition: Callable[[], bool], raised: list[BaseException] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert not raised, raised
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.02)


def caught_up(store: Store) -> bool:
    status = runtime_status(store)
    return status is not None and status.lag == 0


def episodes_of(store: Store) -> dict[str, str]:
    return {episode.id: episode.model_dump_json() for episode in store.episodes.find(EpisodeFilter(limit=1000))}


def expected(site: Site) -> Backtest:
    configuration = configure(site.store, site.settings.packs, site.settings.policy)
    return backtest(configuration, site.items(), LocalModels({MODEL: (site.session, 1)}))


def assert_same(site: Site, result: Backtest) -> None:
    assert episodes_of(site.store) == {key: value.model_dump_json() for key, value in result.episodes.items()}
    for incident in result.incidents.values():
        assert site.store.incidents.get(incident.id) == incident
    assert [message.id for message in site.store.outbox.pending(1000)] == [message.id for message in result.outbox]
    state = site.store.runtime.load("main").state
    assert {key: value for key, value in state.items() if key != "runtime"} == result.state


def values() -> list[float | None]:
    hours: list[float | None] = [*flow(80, drops=DROP)]
    hours[40:47] = [None] * 7
    return hours


def test_live_is_the_backtest_to_the_last_digit(site: Site) -> None:
    site.feed(stream(values()))
    with running(site.settings) as raised:
        wait_until(lambda: caught_up(site.store), raised)
    result = expected(site)
    assert {episode.layer for episode in result.episodes.values()} == set(Layer)
    assert_same(site, result)


def test_items_that_come_while_it_runs_give_the_same(site: Site) -> None:
    items = stream(values())
    with running(site.settings) as raised:
        for start in range(0, len(items), 7):
            site.feed(items[start : start + 7])
        wait_until(lambda: caught_up(site.store), raised)
    assert_same(site, expected(site))


def test_stopped_and_started_again_it_goes_on_where_it_was(site: Site) -> None:
    items = stream(values())
    for start in range(0, len(items), 30):
        site.feed(items[start : start + 30])
        with running(site.settings) as raised:
            wait_until(lambda: caught_up(site.store), raised)
    assert_same(site, expected(site))


def environment(settings: RuntimeSettings) -> dict[str, str]:
    assert settings.serving_key is not None
    told = settings.model_dump(mode="json") | {"serving_key": settings.serving_key.get_secret_value()}
    return {**os.environ, "CITYFORGE_RUNTIME": json.dumps(told), "PYTHONPATH": str(ROOT)}


def start_process(settings: RuntimeSettings) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "operations"]
    return subprocess.Popen(command, env=environment(settings), stderr=subprocess.PIPE, text=True)


def test_killed_in_the_middle_nothing_is_lost_and_nothing_twice(site: Site) -> None:
    site.feed(stream(values()))
    last = site.store.inbox.last_sequence()
    for share in (0.2, 0.6):
        process = start_process(site.settings)
        wait_until(lambda share=share: site.store.runtime.load("main").offset >= share * last)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = start_process(site.settings)
    wait_until(lambda: caught_up(site.store))
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert_same(site, expected(site))


def test_serving_may_be_away_for_a_while(site: Site) -> None:
    site.feed(stream(values()))
    site.served.failures[:] = [503, 429, 404, 500]
    with running(site.settings) as raised:
        wait_until(lambda: caught_up(site.store), raised)
    assert not site.served.failures
    assert_same(site, expected(site))


def test_a_model_that_stays_away_is_grey_and_time_moves_on(site: Site) -> None:
    site.served.sessions.clear()
    site.feed(stream(flow(30, drops={25: 3.0})))
    with running(site.settings.model_copy(update={"patience_s": 0.1})) as raised:
        wait_until(lambda: caught_up(site.store), raised)
    found = site.store.episodes.find(EpisodeFilter(limit=10))
    silent = [episode for episode in found if episode.risk == f"health.silent_model.{MODEL}"]
    assert [episode.layer for episode in silent] == [Layer.HEALTH]
    assert any(episode.layer is Layer.STATUTORY for episode in found)


def test_a_refused_key_ends_it(site: Site) -> None:
    site.served.key = "another-key"
    site.feed(stream(flow(10)))
    with pytest.raises(AccessError, match="refused the runtime's key"):
        run_runtime(site.settings, threading.Event())


def test_a_shard_that_another_holds_is_refused(site: Site) -> None:
    site.store.leases.acquire("main", "somebody else", 60, now_ms())
    with pytest.raises(LeaseError, match="somebody else"):
        run_runtime(site.settings, threading.Event())


def test_a_holder_that_lost_its_lease_ends_and_writes_nothing_more(site: Site) -> None:
    site.feed(stream(values()[:30]))
    with running(site.settings) as raised:
        wait_until(lambda: caught_up(site.store), raised)
        site.store.leases.acquire("main", "successor", 60, now_ms() + 10**9)
        before = episodes_of(site.store)
        site.feed([item for item in stream(values()) if item.time_ms >= START_MS + 30 * HOUR_MS])
        wait_until(lambda: bool(raised))
    assert isinstance(raised[0], LeaseError)
    assert episodes_of(site.store) == before


def test_signs_of_one_model_are_asked_in_one_call(site: Site) -> None:
    both = []
    for item in stream(flow(12), ticks=False):
        both += [item, type(item)(**{name: getattr(item, name) for name in item.__slots__} | {"sign": OTHER})]
    site.feed(both)
    with running(site.settings) as raised:
        wait_until(lambda: caught_up(site.store), raised)
    assert site.served.batches[-1] == 2


def test_a_verdict_reaches_the_episode_without_an_instant(site: Site) -> None:
    site.feed(stream(flow(80, drops=DROP)[:63]))
    with running(site.settings) as raised:
        wait_until(lambda: caught_up(site.store), raised)
        found = site.store.episodes.find(EpisodeFilter(limit=10))
        opened = next(episode for episode in found if episode.risk == SUPPLY)
        verdict = Verdict(episode=opened.id, answer=Answer.CONFIRMED, operator="shift", time=from_ms(START_MS))
        site.store.inbox.append_verdict(verdict)
        wait_until(lambda: caught_up(site.store), raised)
    answered = site.store.episodes.get(opened.id)
    assert answered is not None
    assert answered.status is Status.CONFIRMED


def test_a_new_champion_is_taken_up_while_running(site: Site) -> None:
    items = stream(flow(60))
    site.feed(items[:60])
    with running(site.settings) as raised:
        wait_until(lambda: caught_up(site.store), raised)
        site.served.sessions[MODEL] = (site.session, 2)
        site.store.ledger.append(Action.PROMOTE, manifest(2), "test")
        site.feed(items[60:])
        wait_until(lambda: caught_up(site.store), raised)
    assert site.store.runtime.load("main").state[f"calibration/{PUMP}"]["model"] == f"{MODEL}:2"


def test_the_system_clock_ticks_by_itself(site: Site) -> None:
    settings = site.settings.model_copy(update={"clock": "system", "tick_s": 0.05})
    with running(settings) as raised:
        wait_until(lambda: site.store.inbox.last_sequence() >= 3, raised)


def test_wrong_settings_end_with_one_clear_message() -> None:
    command = [sys.executable, "-m", "operations"]
    told = {"store_url": "sqlite:///x.db", "serving_key": "secret-key", "colour": 1, "batch": 0}
    environment = {**os.environ, "CITYFORGE_RUNTIME": json.dumps(told), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "2 problems" in ended.stderr
    assert "colour" in ended.stderr
    assert "secret-key" not in ended.stderr
    assert "Traceback" not in ended.stderr
