"""Watermarks: when an instant may be decided.

Each sign's watermark is its newest event time, or the clock if that is further on, less the sign's allowed lateness.
An instant is due when every sign that was ever heard has passed it. A sign that has been silent for as long as makes it
blind no longer holds the others back, clock or no clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from contracts import Sign

MS = 1000
MAXIMUM_DUE = 10_000
"""Instants given at once; whoever asks again gets the rest."""


CLOCK_KEY = "clock"
"""Where the watermarks stand in the engine's state."""


@dataclass(slots=True)
class Watermarks:
    """Event times heard so far and instants decided so far.

    Attributes:
        signs: the signs by id.
        begin_ms: no instant before it is due; None for no such bound.
        newest: the newest event time of each sign heard.
        clock_ms: the newest tick.
        decided_ms: the last instant decided, or the time just before the first one to be.
        started: whether an instant was decided.
    """

    signs: dict[str, Sign]
    begin_ms: int | None = None
    newest: dict[str, int] = field(default_factory=dict)
    clock_ms: int | None = None
    decided_ms: int | None = None
    started: bool = False
    _front_ms: int = field(default=0, init=False)
    _intervals_ms: set[int] = field(default_factory=set, init=False)
    _queues: dict[tuple[int, int], list[tuple[int, str]]] = field(default_factory=dict, init=False)
    """Signs heard, those of one blindness and one lateness in a heap by a time they have reached at least."""

    def hear(self, sign: Sign, time_ms: int) -> None:
        """Note a reading's event time."""
        if sign.id in self.newest:
            self.newest[sign.id] = max(time_ms, self.newest[sign.id])
            self._front_ms = max(time_ms, self._front_ms)
        else:
            self._enter(sign, time_ms)
        if self.started:
            return
        interval_ms = sign.interval_s * MS
        before_first = -(-time_ms // interval_ms) * interval_ms - 1
        if self.begin_ms is not None:
            before_first = max(before_first, self.begin_ms - 1)
        self.decided_ms = before_first if self.decided_ms is None else min(self.decided_ms, before_first)

    def tick(self, time_ms: int) -> None:
        """Note that the clock has reached a time."""
        self.clock_ms = time_ms if self.clock_ms is None else max(time_ms, self.clock_ms)

    def decide(self, instant_ms: int) -> None:
        """Note that an instant is decided."""
        self.decided_ms = instant_ms
        self.started = True

    def _enter(self, sign: Sign, time_ms: int) -> None:
        """Take up a sign that was not heard before."""
        self._front_ms = max(time_ms, self._front_ms) if self.newest else time_ms
        self.newest[sign.id] = time_ms
        self._intervals_ms.add(sign.interval_s * MS)
        queue = self._queues.setdefault((sign.blind_after_s * MS, sign.lateness_s * MS), [])
        heapq.heappush(queue, (time_ms, sign.id))

    def passed_ms(self) -> int | None:
        """Return the time that every sign's watermark has passed; None before the first reading.

        It is asked after every item, so it looks at one sign of each kind and not at all of them.
        """
        if not self.newest:
            return None
        return min(self._watermark(queue, *kind) for kind, queue in self._queues.items())

    def _watermark(self, queue: list[tuple[int, str]], blind_ms: int, lateness_ms: int) -> int:
        """Return the watermark of the hindmost sign of a kind: no other of its kind has a lower one."""
        while queue[0][0] != (newest_ms := self.newest[queue[0][1]]):
            heapq.heapreplace(queue, (newest_ms, queue[0][1]))
        heard = max(queue[0][0], self._front_ms - blind_ms)
        if self.clock_ms is not None:
            heard = max(heard, self.clock_ms)
        return heard - lateness_ms

    def due(self) -> tuple[int, ...]:
        """Return the instants that may be decided now, in order, at most :data:`MAXIMUM_DUE`."""
        passed, decided = self.passed_ms(), self.decided_ms
        if passed is None or decided is None or passed <= decided:
            return ()
        grid = _grid(self._intervals_ms, decided, passed)
        return tuple(instant for instant, _ in zip(grid, range(MAXIMUM_DUE), strict=False))

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "newest": dict(sorted(self.newest.items())),
            "clock_ms": self.clock_ms,
            "decided_ms": self.decided_ms,
            "started": self.started,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore :meth:`to_json`; signs no longer in the catalogue are left out."""
        self.newest, self._intervals_ms, self._queues = {}, set(), {}
        for sign, time_ms in state["newest"].items():
            if sign in self.signs:
                self._enter(self.signs[sign], int(time_ms))
        self.clock_ms, self.decided_ms, self.started = state["clock_ms"], state["decided_ms"], state["started"]


def _grid(intervals_ms: Iterable[int], after_ms: int, until_ms: int) -> Iterator[int]:
    lengths = sorted(intervals_ms)
    time_ms = after_ms
    while True:
        time_ms = min((time_ms // length + 1) * length for length in lengths)
        if time_ms > until_ms:
            return
        yield time_ms
