"""No server at all: how fast onnxruntime runs a graph in a loop, in the best of a few arrangements."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass

import onnxruntime

from contracts import Array


@dataclass(frozen=True, slots=True)
class Raw:
    """What the loop found.

    Attributes:
        runs_per_s: of the best arrangement: one or two loops of one thread each, or one loop of two threads.
        p50_ms: median of one loop on one thread, as one request meets it.
        best_p50_ms: the lower median of one and two threads a run.
    """

    runs_per_s: float
    p50_ms: float
    best_p50_ms: float


def measure_raw(content: bytes, context: Array, seconds: float) -> Raw:
    """Run a graph over and over, in each arrangement for a third of the time."""
    part_s = seconds / 3
    single, wide = _open(content, 1), _open(content, 2)
    alone, wider = _loop(single, context, part_s), _loop(wide, context, part_s)
    together: list[list[float]] = []
    threads = [threading.Thread(target=lambda: together.append(_loop(single, context, part_s))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rates = [len(alone) / part_s, len(wider) / part_s, sum(map(len, together)) / part_s]
    alone_ms, wider_ms = (1000 * statistics.median(times) for times in (alone, wider))
    return Raw(max(rates), alone_ms, min(alone_ms, wider_ms))


def _open(content: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _loop(session: onnxruntime.InferenceSession, context: Array, seconds: float) -> list[float]:
    feeds = {"context": context}
    for _ in range(3):
        session.run(None, feeds)
    taken = []
    started = last = time.perf_counter()
    while last - started < seconds:
        session.run(None, feeds)
        now = time.perf_counter()
        taken.append(now - last)
        last = now
    return taken
