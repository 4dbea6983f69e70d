"""What one version was asked and did since it was opened. Changed on the event loop alone, so without locks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

EXACT_SIZES = 256
"""Batches of more rows are counted under the next power of two, so that nobody can make the table grow for ever."""


@dataclass(slots=True)
class Tally:
    """How often something happened and how long it took.

    Attributes:
        count: how often.
        total_s: seconds of all together.
    """

    count: int = 0
    total_s: float = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Count something that happened."""
        self.count += count
        self.total_s += seconds


@dataclass(slots=True)
class Usage:
    """The tallies of one version.

    Attributes:
        rows: answered, of all requests.
        succeeded: requests that were answered, from bytes to bytes.
        failed: requests that were not.
        waited: time that answered requests spent in the engine beside their run.
        decoded: time until a request's tensors were arrays.
        computed: time that requests' runs took; a run shared by three requests counts three times.
        encoded: time until an answer was bytes.
        executions: runs by rows.
        queued: time that requests waited for a thread; those that ran at once are not in it.
        recalled: requests that the response cache answered, with the time to find that.
        missed: requests that it could not answer, likewise.
        last_ms: when the version was last asked; 0 for never.
    """

    rows: int = 0
    succeeded: Tally = field(default_factory=Tally)
    failed: Tally = field(default_factory=Tally)
    waited: Tally = field(default_factory=Tally)
    decoded: Tally = field(default_factory=Tally)
    computed: Tally = field(default_factory=Tally)
    encoded: Tally = field(default_factory=Tally)
    executions: dict[int, Tally] = field(default_factory=dict)
    queued: Tally = field(default_factory=Tally)
    recalled: Tally = field(default_factory=Tally)
    missed: Tally = field(default_factory=Tally)
    last_ms: int = 0
    _queued_told_s: float = 0.0

    def ran(self, requests: int, rows: int, seconds: float) -> None:
        """Count one run of the graph."""
        size = rows if rows <= EXACT_SIZES else 1 << (rows - 1).bit_length()
        tally = self.executions.get(size)
        if tally is None:
            tally = self.executions[size] = Tally()
        tally.add(seconds)
        self.rows += rows
        self.computed.add(seconds * requests, requests)

    def take_queued_s(self) -> float:
        """Return the seconds that requests waited since this was last asked."""
        fresh_s = self.queued.total_s - self._queued_told_s
        self._queued_told_s = self.queued.total_s
        return fresh_s

    def answered(self, started: float, decoded: float, inferred: float, encoded: float) -> None:
        """Count a request that was answered; times on the performance counter, one after the other."""
        self.decoded.add(decoded - started)
        self.waited.add(inferred - decoded)
        self.encoded.add(encoded - inferred)
        self.succeeded.add(encoded - started)
        self.last_ms = time.time_ns() // 1_000_000

    def refused(self, seconds: float) -> None:
        """Count a request that was not answered."""
        self.failed.add(seconds)
        self.last_ms = time.time_ns() // 1_000_000
