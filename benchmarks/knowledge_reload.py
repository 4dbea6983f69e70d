"""Hot reload of rules for the knowledge benchmark: a runtime under load takes up a promotion, and no timer is lost.

A real runtime on a real SQLite store watches the water main's rules at 100 places, hour after hour as fast as it can.
All meters stick at hour 10. While hour 12 is decided another bundle of rules is promoted. A timer is lost where the
warning of a stuck meter does not open at hour 16, six hours after it stuck.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.knowledge_past import START_MS, many_places
from contracts import NO_TENSORS, Action, Reading, ReleaseManifest, Task, from_ms
from early_warning import BudgetPolicy, WarningPolicy
from knowledge_graph import RuleBundle
from operations import LocalModels, RuntimeSettings, runtime_status
from operations.runtime import Runtime
from store import EpisodeFilter, ReleaseStore, Store

_PLACES = 100
_HOUR_MS = 3_600_000
_STUCK_FROM, _PROMOTED_AT, _HOURS, _OPENS_AT = 10, 13, 24, 16
_STUCK_AT = 101.7  # no meter reads it before
_TIMEOUT_S = 120


def measure_reload(pack: Path) -> dict[str, Any]:
    """Return seconds from the promotion until the rules are in force, and how many timers were lost."""
    bundle, signs, places = many_places(pack, _PLACES)
    changed = {name: text.replace("95 l/s", "94 l/s") for name, text in bundle.rules.items()}
    other = bundle.model_copy(update={"rules": changed})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = RuntimeSettings.model_validate(
            {
                "store_url": f"sqlite:///{folder / 'store.db'}",
                "serving_url": "http://127.0.0.1:1",
                "packs": [pack],
                "releases_url": str(folder / "releases"),
                "clock": "ticks",
                "holder": "benchmark",
                "poll_s": 0.01,
                "policy": WarningPolicy(budget=BudgetPolicy(per_risk=None, per_district=None)),
            }
        )
        with Store.open(settings.store_url) as store:
            store.places.put(places)
            store.signs.put(signs)
            _promote(store, settings, bundle, 1)
            seconds = _run(store, settings, [sign.id for sign in signs], other)
            found = store.episodes.find(EpisodeFilter(limit=10 * _PLACES))
        opened = {one.place for one in found if one.risk.endswith("sensor_stuck") and one.opened_at == _time(_OPENS_AT)}
    return {"hot_reload_s": seconds, "timers_lost": _PLACES - len(opened)}


def _run(store: Store, settings: RuntimeSettings, signs: list[str], other: RuleBundle) -> float:
    """Feed and promote beside a running runtime; return seconds from the promotion until it is in force."""
    stop, watch = threading.Event(), _Watch()
    runtime = Runtime(settings, store, LocalModels({}), stop)
    thread = threading.Thread(target=runtime.run)
    logger = logging.getLogger("operations.runtime")
    logger.addHandler(watch)
    level = logger.level
    logger.setLevel(logging.INFO)
    thread.start()
    try:
        promoted = 0.0
        for hour in range(_HOURS):
            if hour == _PROMOTED_AT:
                _wait(store, _PROMOTED_AT - 2)
                promoted = time.time()
                _promote(store, settings, other, 2)
            flows = [101.0 + 0.01 * ((7 * hour + number) % 50) for number in range(len(signs))]
            if hour >= _STUCK_FROM:
                flows = [_STUCK_AT] * len(signs)
            told = [Reading(sign=s, time=_time(hour), value=v) for s, v in zip(signs, flows, strict=True)]
            store.inbox.append(told, START_MS + hour * _HOUR_MS)
            store.inbox.append_tick(START_MS + hour * _HOUR_MS)
        _wait(store)
    finally:
        stop.set()
        thread.join()
        logger.removeHandler(watch)
        logger.setLevel(level)
    (in_force,) = watch.times
    return in_force - promoted


class _Watch(logging.Handler):
    """Notes when the runtime says that other rules are in force."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Other rules are in force"):
            self.times.append(record.created)


def _promote(store: Store, settings: RuntimeSettings, bundle: RuleBundle, version: int) -> None:
    content = bundle.to_bytes()
    manifest = ReleaseManifest(
        name=f"{bundle.pack}.rules",
        version=version,
        task=Task.RULES,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        signature=NO_TENSORS,
        created_at=datetime.now(UTC),
        metadata={"pack": bundle.pack},
    )
    ReleaseStore(str(settings.releases_url)).put(content, manifest)
    store.ledger.append(Action.PROMOTE, manifest, "benchmark")


def _time(hour: int) -> datetime:
    return from_ms(START_MS + hour * _HOUR_MS)


def _wait(store: Store, hour: int | None = None) -> None:
    """Wait until an hour is decided; None for everything."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not _is_decided(store, hour):
        if time.monotonic() > deadline:
            message = f"The runtime has not caught up within {_TIMEOUT_S} s."
            raise AssertionError(message)
        time.sleep(0.005)


def _is_decided(store: Store, hour: int | None) -> bool:
    status = runtime_status(store)
    if status is None:
        return False
    if hour is None:
        return not status.lag
    return status.decided_at is not None and status.decided_at >= _time(hour)
