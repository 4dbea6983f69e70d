"""The batcher: one model's queue. It never waits when the model is idle, and refuses what it could not answer in time.

Requests run in the order of their class, then of their deadline. What queues up while the model is busy runs together;
a request that fails in company runs alone, so that one bad row fails alone. A request whose caller has gone, or that
could not be answered before its deadline any more, is dropped before it costs anything.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import numpy as np

from contracts import Array, AxisName, OverloadedError, Signature
from serving.errors import DeadlineError

from .usage import Usage

BATCH_BUDGET_S = 0.05
"""A batch grows until it takes this long: more would make the others wait."""
MAXIMUM_ROWS = 256
MAXIMUM_WAITING = 4096
SPREAD_S = 0.002
"""A request that takes longer is spread over the threads that are idle."""
_SMOOTHING = 0.1

Feeds = Mapping[str, Array]
Outputs = dict[str, Array]


class Runnable(Protocol):
    """What a queue stands before: a version, or a part of one."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""

    @property
    def run_s(self) -> float:
        """Seconds that a run of a single row takes."""

    @property
    def usage(self) -> Usage:
        """Where its runs are counted."""

    def run(self, feeds: Feeds) -> Outputs:
        """Run it once on the calling thread."""


class Priority(IntEnum):
    """How urgent a request is."""

    ALARM = 1
    INTERACTIVE = 2
    BULK = 3


@dataclass(slots=True, order=True)
class _Waiting:
    """One request in the queue, ordered as it is to run."""

    priority: Priority
    deadline: float
    number: int
    since: float = field(compare=False)
    rows: int = field(compare=False)
    feeds: Feeds = field(compare=False)
    answer: asyncio.Future[Outputs] = field(compare=False)
    queued: bool = field(compare=False)
    """Whether others ran or waited when it came. One that came alone is always tried: estimates mend by runs alone."""


class Batcher:
    """The queue of one version, or of a part of one.

    Args:
        model: the version, or the part of one, that answers.
        runners: threads that run it.
        slots: batches that may run at once.
    """

    def __init__(self, model: Runnable, runners: Executor, slots: int) -> None:
        self._model = model
        self._runners = runners
        self._free = slots
        self._slots = slots
        self._queue: list[_Waiting] = []
        self._queued_rows = 0
        self._running_rows = 0
        self._numbers = itertools.count()
        self._row_s = model.run_s
        self._mixes = can_mix(model.signature)

    async def submit(self, feeds: Feeds, rows: int, priority: Priority, deadline: float) -> Outputs:
        """Answer a request that was checked.

        Args:
            feeds: name → array for every input.
            rows: length of their batch axis.
            priority: its class.
            deadline: on the monotonic clock; no answer is worth anything after it.

        Raises:
            OverloadedError: if it could not be answered before its deadline, or too many wait.
            DeadlineError: if its deadline passed while it waited, or came nearer than a run takes.
            ModelError: if the graph fails on it.
        """
        self._admit(rows, priority, deadline)
        parts = self._parts_of(rows)
        if parts == 1:
            return await self._enqueue(feeds, rows, priority, deadline)
        ends = [rows * part // parts for part in range(parts + 1)]
        return _join(
            await asyncio.gather(
                *(
                    self._enqueue(_cut(feeds, start, end), end - start, priority, deadline)
                    for start, end in itertools.pairwise(ends)
                )
            )
        )

    def _parts_of(self, rows: int) -> int:
        """Return in how many runs a request is answered soonest."""
        if not self._mixes or self._free < 2 or self._queue or rows * self._row_s < SPREAD_S:  # noqa: PLR2004 - two runs
            return 1
        return min(self._free, rows)

    def _enqueue(self, feeds: Feeds, rows: int, priority: Priority, deadline: float) -> asyncio.Future[Outputs]:
        answer: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
        queued = bool(self._queue) or self._free < self._slots
        waiting = _Waiting(priority, deadline, next(self._numbers), time.monotonic(), rows, feeds, answer, queued)
        heapq.heappush(self._queue, waiting)
        self._queued_rows += rows
        self._dispatch()
        return answer

    @property
    def running(self) -> int:
        """Batches that run now."""
        return self._slots - self._free

    @property
    def waiting(self) -> int:
        """Requests that wait for a run."""
        return len(self._queue)

    def expected_wait_s(self, rows: int = 0, priority: Priority = Priority.BULK) -> float:
        """Return the seconds until a request of so many rows would be answered: what is ahead, and its own run."""
        ahead = self._queued_rows if priority is Priority.BULK else self._rows_ahead_of(priority)
        start_s = (ahead + self._running_rows) * self._row_s / self._slots
        company_s = min(ahead * self._row_s, BATCH_BUDGET_S)
        return start_s + max(rows * self._row_s, company_s)

    def _rows_ahead_of(self, priority: Priority) -> int:
        return sum(waiting.rows for waiting in self._queue if waiting.priority <= priority)

    def _admit(self, rows: int, priority: Priority, deadline: float) -> None:
        if self._free and not self._queue:
            return
        wait_s = self.expected_wait_s(rows, priority)
        if len(self._queue) >= MAXIMUM_WAITING or time.monotonic() + wait_s > deadline:
            message = f"{self._model.name!r} has {len(self._queue)} requests waiting, {wait_s:.2f} s of work."
            raise OverloadedError(message, wait_s)

    def _dispatch(self) -> None:
        while self._free and self._queue:
            batch = self._take()
            if batch:
                self._free -= 1
                self._running_rows += sum(waiting.rows for waiting in batch)
                task = asyncio.ensure_future(self._run(batch))
                task.add_done_callback(_check_task)

    def _take(self) -> list[_Waiting]:
        """Take the next requests that can run together, dropping those that nobody waits for any more."""
        batch: list[_Waiting] = []
        rows = 0
        now = time.monotonic()
        while self._queue:
            first = self._queue[0]
            lost = first.deadline <= now + (first.rows * self._row_s if first.queued else 0)
            if not first.answer.done() and not lost and batch and not self._fits(batch, first, rows, now):
                break
            heapq.heappop(self._queue)
            self._queued_rows -= first.rows
            if first.answer.done():
                continue
            if lost:
                message = f"The deadline passed or came too near while the request waited for {self._model.name!r}."
                first.answer.set_exception(DeadlineError(message))
                continue
            self._model.usage.queued.add(now - first.since)
            batch.append(first)
            rows += first.rows
        return batch

    def _fits(self, batch: Sequence[_Waiting], other: _Waiting, rows: int, now: float) -> bool:
        """Return whether a request may join: the run stays short, and makes nobody in it late."""
        together = rows + other.rows
        budget_s = min(BATCH_BUDGET_S, min(each.deadline for each in (*batch, other)) - now)
        small = together <= MAXIMUM_ROWS and together * self._row_s <= budget_s
        return self._mixes and small and _same_shapes(batch[0].feeds, other.feeds)

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._answer(batch)
        finally:
            self._running_rows -= sum(waiting.rows for waiting in batch)
            self._free += 1
            self._dispatch()

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Run a batch; where it fails, run its halves, down to the request that is to blame."""
        started = time.perf_counter()
        try:
            feeds = batch[0].feeds if len(batch) == 1 else _join([waiting.feeds for waiting in batch])
            outputs = await asyncio.get_running_loop().run_in_executor(self._runners, self._model.run, feeds)
        except Exception as exc:  # noqa: BLE001 - whatever fails, every caller is told
            if len(batch) == 1:
                _settle(batch[0].answer, exc)
                return
            middle = len(batch) // 2
            await self._answer(batch[:middle])
            await self._answer(batch[middle:])
            return
        rows, taken_s = sum(waiting.rows for waiting in batch), time.perf_counter() - started
        self._row_s += _SMOOTHING * (taken_s / max(rows, 1) - self._row_s)
        self._model.usage.ran(len(batch), rows, taken_s)
        start = 0
        for waiting in batch:
            part = outputs if len(batch) == 1 else _cut(outputs, start, start + waiting.rows)
            _settle(waiting.answer, part)
            start += waiting.rows


def _settle(answer: asyncio.Future[Outputs], result: Outputs | Exception) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)


def _check_task(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        asyncio.get_running_loop().call_exception_handler({"message": "a batch failed", "exception": task.exception()})


def can_mix(signature: Signature) -> bool:
    """Return whether requests can share a run: every tensor must begin with a dynamic batch axis."""
    return all(
        spec.axes and spec.axes[0].name is AxisName.BATCH and spec.axes[0].size is None
        for spec in (*signature.inputs, *signature.outputs)
    )


def _same_shapes(one: Feeds, other: Feeds) -> bool:
    return all(array.shape[1:] == other[name].shape[1:] for name, array in one.items())


def _join(tensors: Sequence[Mapping[str, Array]]) -> Outputs:
    return {name: np.concatenate([each[name] for each in tensors]) for name in tensors[0]}


def _cut(tensors: Mapping[str, Array], start: int, end: int) -> Outputs:
    return {name: array[start:end] for name, array in tensors.items()}
