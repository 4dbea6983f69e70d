"""Twice as much as the server can do: ``python -m benchmarks.overload --json``.

A model of more than 10 ms. First its capacity by a closed loop; then requests arrive at twice that rate, each with a
deadline; then requests whose client leaves while they wait. The last line is one JSON object.

    goodput_share             answered in time a second / capacity
    accepted_p99_ms           of those that were answered; deadline_ms stands beside it
    late_share                answered after the deadline / answered
    reject_p50_ms, _p99_ms    from sending to the refusal
    cancelled_executed_share  of the requests whose client had gone, those that ran
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from .serving.arrivals import Arrivals, start_arrivals
from .serving.graphs import forecaster_of
from .serving.load import Request, run_load
from .serving.servers import MODEL, Server, free_port, ours

DEADLINE_MS = 300
_CONNECTIONS = 16
_LEAVING_PER_S, _LEAVE_AFTER_S = 50, 0.06


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    parser.add_argument("--seconds", type=float, default=10, help="of each of the three measurements")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        server = ours(Path(name), forecaster_of(11), port)
        with server.running(port, Path(name) / "ours.log"):
            print(json.dumps(measure(server, port, arguments.seconds)))


def measure(server: Server, port: int, seconds: float) -> dict[str, Any]:
    """Return all figures of a server that runs."""
    url = f"http://127.0.0.1:{port}"
    run_load(url, server.request, connections=_CONNECTIONS, seconds=1)
    capacity = run_load(url, server.request, connections=_CONNECTIONS, seconds=seconds).requests_per_s
    headers = {**server.request.headers, "X-Deadline-Ms": str(DEADLINE_MS)}
    timed = Request(server.request.path, server.request.body, headers)
    found = start_arrivals(port, timed, per_s=2 * capacity, seconds=seconds).result()
    return _judge(found, capacity, seconds) | _measure_leaving(url, port, timed, capacity, seconds)


def _judge(found: Arrivals, capacity: float, seconds: float) -> dict[str, Any]:
    accepted, refused = found.latencies(200), found.latencies(503)
    unexpected = {status: count for status, count in found.statuses().items() if status not in (200, 503, 504)}
    if unexpected:
        print(f"unexpected answers: {unexpected}", file=sys.stderr)
    in_time = sum(latency <= DEADLINE_MS for latency in accepted)
    return {
        "goodput_share": round(in_time / seconds / capacity, 4),
        "accepted_p99_ms": _percentile(accepted, 99),
        "deadline_ms": DEADLINE_MS,
        "late_share": round(1 - in_time / max(len(accepted), 1), 4),
        "reject_p50_ms": _percentile(refused, 50),
        "reject_p99_ms": _percentile(refused, 99),
        "capacity_per_s": round(capacity, 1),
        "answers": found.statuses(),
        "late_start_ms": round(found.late_start_ms, 1),
    }


def _measure_leaving(url: str, port: int, timed: Request, capacity: float, seconds: float) -> dict[str, Any]:
    """Keep the queue full, let other clients send and leave while they wait, and count what ran for nobody.

    Those who leave have a deadline far away, so that they are queued and not refused; those who stay are urgent.
    """
    patient = Request(timed.path, timed.body, {**timed.headers, "X-Deadline-Ms": "20000", "X-Priority": "bulk"})
    before = _rows(url)
    staying = start_arrivals(port, timed, per_s=1.2 * capacity, seconds=seconds + 2)
    time.sleep(1)  # until a queue has formed
    leaving = start_arrivals(port, patient, per_s=_LEAVING_PER_S, seconds=seconds, leave_after_s=_LEAVE_AFTER_S)
    left, stayed = leaving.result(), staying.result()
    # Answered last of all: the queue is empty then.
    httpx.post(url + timed.path, content=timed.body, headers=patient.headers).raise_for_status()
    answered = stayed.statuses().get(200, 0) + 1
    executed = _rows(url) - before - answered
    return {
        "cancelled_executed_share": round(executed / max(left.left, 1), 4),
        "cancelled": left.left,
    }


def _rows(url: str) -> int:
    found = httpx.get(f"{url}/v2/models/{MODEL}/stats").raise_for_status().json()
    return sum(int(each["inference_count"]) for each in found["model_stats"])


def _percentile(values: list[float], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 2) if values else None


if __name__ == "__main__":
    main()
