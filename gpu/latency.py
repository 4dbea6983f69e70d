"""How long one run of a graph takes on this machine, now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from contracts import Array

from .session import Session

WARM_UP_RUNS = 10


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of single runs, one after the other, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


def measure_latency(session: Session, feeds: Mapping[str, Array], runs: int = 200) -> Latency:
    """Time runs of one request, after a warm-up that is not counted.

    Args:
        session: an open session.
        feeds: one request, as :meth:`Session.run` takes it.
        runs: how many runs are timed.

    Raises:
        ValueError: if ``runs`` is less than 1.
        TensorError: if the request does not fit the graph.
    """
    if runs < 1:
        message = f"At least one run must be timed, was asked for {runs!r}."
        raise ValueError(message)
    for _ in range(WARM_UP_RUNS):
        session.run(feeds)
    taken_ms = np.empty(runs)
    for index in range(runs):
        started = time.perf_counter_ns()
        session.run(feeds)
        taken_ms[index] = (time.perf_counter_ns() - started) / 1e6
    p50_ms, p95_ms, p99_ms = np.percentile(taken_ms, [50, 95, 99])
    return Latency(float(p50_ms), float(p95_ms), float(p99_ms))
