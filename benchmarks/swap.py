"""Versions swapped under load: ``python -m benchmarks.swap --json``.

Requests arrive at a fixed rate while champions are promoted and rolled back through the ledger; then hundreds of swaps
without load, for what they leave in memory. The last line is one JSON object.

    failures          requests that were not answered with 200
    requests          how many were sent
    p99_ratio         p99 of what was sent within a second of a swap / p99 of the rest
    rollback_ms       median time from the ledger's entry to the first answer of the version before
    rss_growth_share  growth of resident memory over the swaps, after the first tenth of them
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from contracts import Action, ReleaseManifest
from store import ReleaseStore, Store

from .serving.arrivals import Arrivals, start_arrivals
from .serving.graphs import small_forecaster
from .serving.servers import MODEL, Server, free_port, ours, promote

_PATIENCE_S = 30.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=800, help="requests a second")
    parser.add_argument("--swaps", type=int, default=500, help="of the memory measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        server = ours(folder, small_forecaster(), port)
        with server.running(port, folder / "ours.log") as process, Swapper(folder, port) as swapper:
            found = _measure_load(server, port, swapper, arguments.requests, arguments.rate)
            found["rollback_ms"] = round(statistics.median(swapper.roll_back() for _ in range(9)), 1)
            found |= _measure_memory(psutil.Process(process.pid), swapper, arguments.swaps)
    print(json.dumps(found))


class Swapper:
    """Promotes versions in the server's own store and waits until they answer."""

    def __init__(self, folder: Path, port: int) -> None:
        self._store = Store.open(f"sqlite:///{folder / 'store.db'}")
        self._releases = ReleaseStore(str(folder / "releases"))
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        self._version = 1
        self._released: dict[int, ReleaseManifest] = {}

    def __enter__(self) -> Swapper:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._store.close()

    def promote(self) -> None:
        """Release a new version of other weights and wait until it answers."""
        self._version += 1
        content = small_forecaster(seed=self._version % 7)
        self._released[self._version] = promote(self._store, self._releases, content, self._version)
        self._wait(self._version)

    def roll_back(self) -> float:
        """Promote two versions, roll back to the first, and return how long the way back took, in ms."""
        self.promote()
        before = self._released[self._version]
        self.promote()
        started = time.perf_counter()
        self._store.ledger.append(Action.ROLLBACK, before, "benchmark", "measured")
        self._wait(before.version)
        return 1000 * (time.perf_counter() - started)

    def _wait(self, version: int) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if self._champion() == version:
                return
            time.sleep(0.002)
        message = f"version {version} does not answer after {_PATIENCE_S:.0f} s"
        raise TimeoutError(message)

    def _champion(self) -> int:
        models = self._client.get("/status").raise_for_status().json()["models"]
        return int(next(each["champion"] for each in models if each["name"] == MODEL))


def _measure_load(server: Server, port: int, swapper: Swapper, requests: int, rate: float) -> dict[str, Any]:
    seconds = requests / rate
    running = start_arrivals(port, server.request, per_s=rate, seconds=seconds)
    started, swaps = time.perf_counter(), []
    while time.perf_counter() - started < seconds - 5:
        time.sleep(5)
        at = time.perf_counter() - started
        swapper.promote()
        swaps.append((at, time.perf_counter() - started))
    found = running.result()
    inside, outside = _part(found, swaps)
    return {
        "failures": sum(count for status, count in found.statuses().items() if status != httpx.codes.OK),
        "requests": found.sent,
        "swaps_under_load": len(swaps),
        "p99_ratio": round(float(np.percentile(inside, 99) / np.percentile(outside, 99)), 3),
        "p99_inside_ms": round(float(np.percentile(inside, 99)), 2),
        "p99_outside_ms": round(float(np.percentile(outside, 99)), 2),
    }


def _part(found: Arrivals, swaps: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the latencies of what was sent within a second of a swap, and of the rest."""
    inside, outside = [], []
    for at, latency_ms, _status in found.answers:
        near = any(begin - 1 <= at <= end + 1 for begin, end in swaps)
        (inside if near else outside).append(latency_ms)
    return inside, outside


def _measure_memory(process: psutil.Process, swapper: Swapper, swaps: int) -> dict[str, Any]:
    warm = max(1, swaps // 10)
    sizes = []
    for _ in range(swaps):
        swapper.promote()
        sizes.append(process.memory_info().rss)
    first = statistics.median(sizes[warm : 2 * warm])
    last = statistics.median(sizes[-warm:])
    return {
        "rss_growth_share": round(last / first - 1, 4),
        "rss_mib": round(last / 1024 / 1024, 1),
        "swaps": swaps,
    }


if __name__ == "__main__":
    main()
