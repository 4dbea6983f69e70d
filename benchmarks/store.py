"""How fast the store is: ``python -m benchmarks.store --json [--url URL]``.

A district of 2,600 signs, each every 15 minutes; durable commits; medians. Without ``--url`` an SQLite
file is made in the temporary folder, or under ``--folder`` to measure another disk. A URL must name an
empty database, such as ``postgresql+psycopg://user@host/empty``. Last line: one JSON object with

    url                     what was measured, without its password
    fsync_ms                what the disk of ``--folder`` takes to keep 4 KiB, to judge the rest by
    ingest_readings_per_s   readings archived and put into the inbox, 2,600 in a call
    ingest_ms               one such call
    duplicate_ms            the same call again, when all of it is known
    window_ms               all signs, 512 steps, in one call
    window_168_ms           all signs, 168 steps
    inbox_read_ms           the next 2,600 items of the inbox
    commit_ms               one step of the runtime: offset, 100 kB of state, 10 episodes, 10 messages
    commit_empty_ms         one step that only moves the offset
    champion_ms             who was champion at a time, among 100,000 promotions
    champions_ms            all present champions, among them
    ledger_append_ms        one promotion, with its place in the hash chain
    database_mib            all that takes, after 1.3 million readings
    load                    the machine's load average of the last 5 minutes at the end, and its processors:
    processors              where the first is not well below the second, the figures are too high
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from contracts import (
    Action,
    Axis,
    AxisName,
    Domain,
    Episode,
    Layer,
    Level,
    OutboxMessage,
    Place,
    PlaceLevel,
    Reading,
    ReleaseManifest,
    Sign,
    Signature,
    Task,
    TensorSpec,
    Text,
    from_ms,
    to_ms,
)
from store import Lease, RuntimeCommit, Store
from store.schema import ledger

SIGNS = 2600
STEPS = 512
INTERVAL_S = 900
PROMOTIONS = 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)
_MIB = 1024 * 1024
_WORD = Text(zh="水位", en="Level")


def main() -> None:
    """Run everything and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.add_argument("--url", help="an empty database; an SQLite file without it")
    parser.add_argument("--folder", type=Path, help="where the SQLite file is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        url = arguments.url or f"sqlite:///{folder}/store.db"
        with Store.open(url) as store:
            result: dict[str, Any] = {"fsync_ms": _measure_disk(Path(folder))}
            result |= _measure_readings(store) | _measure_runtime(store) | _measure_ledger(store)
            result |= {"database_mib": _size_bytes(store) / _MIB, "load": os.getloadavg()[1]}
            result["processors"] = os.cpu_count() or 1
            result = {"url": store._database.name, **{key: round(value, 3) for key, value in result.items()}}
    if not arguments.json:
        for key, value in result.items():
            print(f"{key:24}{value}")
    print(json.dumps(result))


def _measure_readings(store: Store) -> dict[str, float]:
    store.places.put([Place(id="city", name=_WORD, level=PlaceLevel.CITY)])
    store.signs.put([_sign(i) for i in range(SIGNS)])
    names = [f"sign-{i}" for i in range(SIGNS)]
    times = []
    for step in range(STEPS):
        times.append(_ms(partial(store.inbox.append, _batch(step), step)))
    ingest_ms, end_ms = statistics.median(times), to_ms(START) + (STEPS - 1) * INTERVAL_S * 1000
    last = _batch(STEPS - 1)
    return {
        "ingest_readings_per_s": 1000 * SIGNS / ingest_ms,
        "ingest_ms": ingest_ms,
        "duplicate_ms": _median_ms(lambda: store.inbox.append(last, 0), 9),
        "window_ms": _median_ms(lambda: store.readings.window(names, end_ms, STEPS), 5),
        "window_168_ms": _median_ms(lambda: store.readings.window(names, end_ms, 168), 5),
        "inbox_read_ms": _median_ms(lambda: store.inbox.read(SIGNS * 100, SIGNS), 9),
    }


def _measure_runtime(store: Store) -> dict[str, float]:
    held = store.leases.acquire("main", "benchmark", 3600, 0)
    steps = iter(range(1, 1000))
    return {
        "commit_ms": _median_ms(lambda: _commit(store, held, next(steps)), 51),
        "commit_empty_ms": _median_ms(lambda: store.runtime.commit(held, RuntimeCommit(next(steps))), 51),
    }


def _commit(store: Store, held: Lease, step: int) -> None:
    scores = [1 / (i + step) for i in range(5000)]  # about 100 kB of JSON
    episodes = [_episode(step, i) for i in range(10)]
    messages = [OutboxMessage(f"{item.id}/opened", "episode.opened", step, {"level": "red"}) for item in episodes]
    store.runtime.commit(held, RuntimeCommit(step, {"scores": scores}, episodes, (), messages))


def _measure_ledger(store: Store) -> dict[str, float]:
    append_ms = _median_ms(lambda: store.ledger.append(Action.PROMOTE, _manifest(1), "benchmark"), 21)
    first = store.ledger.entries(limit=1)[0]
    with store._database.write() as connection:  # promotions of years, written at once instead of one by one
        row = connection.execute(ledger.select().where(ledger.c.sequence == 1)).one()._asdict()
        origin, written = row["time_ms"], range(22, PROMOTIONS + 1)
        rows = [
            {**row, "sequence": i, "name": f"model-{i % 50}", "time_ms": origin + i, "before": None} for i in written
        ]
        connection.execute(insert(ledger), rows)
    at = from_ms(to_ms(first.time) + PROMOTIONS // 2)
    return {
        "champion_ms": _median_ms(lambda: store.ledger.champion("model-7", at), 21),
        "champions_ms": _median_ms(store.ledger.champions, 9),
        "ledger_append_ms": append_ms,
    }


def _measure_disk(folder: Path) -> float:
    with (folder / "probe").open("wb") as file:

        def keep() -> None:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())

        return _median_ms(keep, 51)


def _size_bytes(store: Store) -> int:
    query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if not store._database.is_sqlite:
        query = "SELECT pg_database_size(current_database())"
    with store._database.read() as connection:
        return int(connection.execute(text(query)).scalar_one())


def _ms(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - started)


def _median_ms(action: Callable[[], object], runs: int) -> float:
    return statistics.median(_ms(action) for _ in range(runs))


def _sign(number: int) -> Sign:
    return Sign(
        id=f"sign-{number}",
        title=_WORD,
        place="city",
        unit="m",
        interval_s=INTERVAL_S,
        source="gauge",
        domain=Domain.SAFETY,
    )


def _batch(step: int) -> list[Reading]:
    time_of = START + timedelta(seconds=step * INTERVAL_S)
    return [Reading(sign=f"sign-{i}", time=time_of, value=i + step / 10) for i in range(SIGNS)]


def _episode(step: int, number: int) -> Episode:
    when = from_ms(to_ms(START) + step)
    return Episode(
        id=f"ep-{step}-{number}",
        risk="flood",
        title=_WORD,
        layer=Layer.EXPERIENCE,
        place="city",
        level=Level.RED,
        peak_level=Level.RED,
        opened_at=when,
        updated_at=when,
    )


def _manifest(version: int) -> ReleaseManifest:
    axes = (Axis(name=AxisName.BATCH), Axis(name=AxisName.TIME, size=168))
    return ReleaseManifest(
        name="model-0",
        version=version,
        task=Task.FORECAST,
        sha256="0" * 64,
        size_bytes=1,
        signature=Signature(
            inputs=(TensorSpec(name="context", axes=axes),), outputs=(TensorSpec(name="quantiles", axes=axes),)
        ),
        created_at=START,
    )


if __name__ == "__main__":
    main()
