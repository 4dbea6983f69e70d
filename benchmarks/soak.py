"""Hours in minutes: everything at once, and what it leaves behind: ``python -m benchmarks.soak --json``.

Steady requests, clients that leave, malformed requests, swaps and rollbacks, one after the other and together. The last
line is one JSON object.

    requests            how many of the steady ones were sent
    failures            of them, those not answered with 200
    p99_ratio           their p99 in the last quarter / in the second
    rss_growth_share    resident memory in the last quarter / in the second, less 1
    descriptors_growth  open files and sockets at the end less those after the first quarter
    threads_growth      likewise
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

from .serving.arrivals import Arrivals, start_arrivals
from .serving.graphs import small_forecaster
from .serving.load import Request
from .serving.servers import Server, free_port, ours
from .swap import Swapper

STEADY_PER_S, LEAVING_PER_S, BROKEN_PER_S = 300, 20, 20
_SWAP_EVERY_S = 2.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    parser.add_argument("--seconds", type=float, default=240)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        server = ours(folder, small_forecaster(), port)
        with server.running(port, folder / "ours.log") as process, Swapper(folder, port) as swapper:
            print(json.dumps(measure(server, port, psutil.Process(process.pid), swapper, arguments.seconds)))


def measure(server: Server, port: int, process: psutil.Process, swapper: Swapper, seconds: float) -> dict[str, Any]:
    """Load a server that runs, in every way at once, and return what changed."""
    broken = Request(server.request.path, server.request.body[:-40])
    steady = start_arrivals(port, server.request, per_s=STEADY_PER_S, seconds=seconds)
    others = [
        start_arrivals(port, server.request, per_s=LEAVING_PER_S, seconds=seconds, leave_after_s=0.001),
        start_arrivals(port, broken, per_s=BROKEN_PER_S, seconds=seconds),
    ]
    samples: list[tuple[int, int, int]] = []
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        swapper.promote()
        samples.append((process.memory_info().rss, process.num_fds(), process.num_threads()))
        time.sleep(_SWAP_EVERY_S)
    found = steady.result()
    statuses = others[1].result().statuses()
    others[0].result()
    return _judge(found, samples, seconds) | {"swaps": len(samples), "broken": statuses}


def _judge(found: Arrivals, samples: list[tuple[int, int, int]], seconds: float) -> dict[str, Any]:
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    growth = [
        statistics.median(each[part] for each in late) - statistics.median(each[part] for each in early)
        for part in range(3)
    ]
    first = statistics.median(rss for rss, _, _ in early)
    return {
        "requests": found.sent,
        "failures": sum(count for status, count in found.statuses().items() if status != httpx.codes.OK),
        "p99_ratio": round(_p99(found, 0.75, 1, seconds) / _p99(found, 0.25, 0.5, seconds), 3),
        "p99_ms": round(_p99(found, 0.75, 1, seconds), 2),
        "rss_growth_share": round(growth[0] / first, 4),
        "rss_mib": round((first + growth[0]) / 1024 / 1024, 1),
        "descriptors_growth": growth[1],
        "threads_growth": growth[2],
    }


def _p99(found: Arrivals, begin: float, end: float, seconds: float) -> float:
    latencies = [latency for at, latency, _ in found.answers if begin * seconds <= at < end * seconds]
    return float(np.percentile(latencies, 99))


if __name__ == "__main__":
    main()
