"""The engine: takes a checked request to the version that answers, on the thread where it runs soonest."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from contracts import Array, FactoryError, LedgerEntry
from gpu import available_threads
from serving.errors import ClientGoneError
from store import ReleaseStore

from .batcher import Batcher, Outputs, Priority
from .release import ServedModel, open_release
from .repository import ModelRepository

INLINE_BUDGET_S = 0.0005
"""A run this short is over before a thread would have taken it: it runs where it is asked."""

log = logging.getLogger(__name__)


Gone = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Urgency:
    """How urgent a request is.

    Attributes:
        priority: its class.
        timeout_s: how long an answer is worth something.
    """

    priority: Priority = Priority.INTERACTIVE
    timeout_s: float = 30.0


DEFAULT_URGENCY = Urgency()


@dataclass(frozen=True, slots=True)
class Result:
    """An answer.

    Attributes:
        model: the version that gave it.
        outputs: name → array.
    """

    model: ServedModel
    outputs: dict[str, Array]


class InferenceEngine:
    """Answers requests with released versions.

    Args:
        releases: where released files lie.
        threads: threads that run models; None for one per processor granted.
    """

    def __init__(self, releases: ReleaseStore, *, threads: int | None = None) -> None:
        self.models = ModelRepository()
        self._releases = releases
        self._threads = threads or available_threads()
        self._runners = ThreadPoolExecutor(self._threads, thread_name_prefix="infer")
        self._batchers: dict[ServedModel, Batcher] = {}
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="open")

    async def infer(
        self,
        name: str,
        feeds: Mapping[str, Array],
        version: str | None = None,
        *,
        urgency: Urgency = DEFAULT_URGENCY,
        gone: Gone | None = None,
    ) -> Result:
        """Answer one request.

        Args:
            name: of the model.
            feeds: name → array for every input.
            version: one that is open; None for the champion.
            urgency: its class and how long an answer is worth something.
            gone: returns once the caller has left; its request is dropped then.

        Raises:
            ClientGoneError: if the caller left first.
            DeadlineError: if the deadline passed while it waited.
            NotFoundError: if the model or version is not served.
            TensorError: if the request does not fit the signature.
            OverloadedError: if the model is not ready, or would not answer before the deadline.
            ModelError: if the graph fails.
        """
        model = self.models.find(name, version)
        rows = model.check(feeds)
        if model.run_s * rows <= INLINE_BUDGET_S:
            return Result(model, model.run(feeds))
        deadline = time.monotonic() + urgency.timeout_s
        work = self._batcher(model).submit(feeds, rows, urgency.priority, deadline)
        return Result(model, await (work if gone is None else _unless_gone(work, gone)))

    def _batcher(self, model: ServedModel) -> Batcher:
        """Return the version's queue."""
        found = self._batchers.get(model)
        if found is None:
            found = self._batchers[model] = Batcher(model, self._runners, self._threads)
        return found

    async def follow(self, entries: Mapping[str, LedgerEntry]) -> None:
        """Bring the served versions in line with the ledger; one that cannot be opened replaces nothing.

        Args:
            entries: the present champion's entry by name.
        """
        for name, entry in entries.items():
            slot = self.models.slot(name)
            if slot.unloaded or (slot.champion is not None and _is_same(slot.champion, entry)):
                continue
            if slot.previous is not None and _is_same(slot.previous, entry):
                self._swap(slot.previous)
                continue
            await self._open(entry)

    async def _open(self, entry: LedgerEntry) -> None:
        loop = asyncio.get_running_loop()
        manifest = entry.manifest
        try:
            model = await loop.run_in_executor(self._opener, open_release, self._releases, manifest)
        except FactoryError as exc:
            slot = self.models.slot(manifest.name)
            if slot.failure != str(exc):
                log.error("version %s of %r is not served: %s", manifest.version, manifest.name, exc)  # noqa: TRY400
            slot.failure = str(exc)
            return
        self._swap(model)
        log.info("version %s of %r answers", model.version, model.name)

    def _swap(self, model: ServedModel) -> None:
        """Let a version answer, and forget the queues of those let go: what they hold ends with their last request."""
        self.models.swap(model)
        self._batchers = {kept: queue for kept, queue in self._batchers.items() if self.models.holds(kept)}

    def close(self) -> None:
        """Stop the threads; what they run is finished first."""
        self._runners.shutdown(wait=True, cancel_futures=True)
        self._opener.shutdown(wait=True, cancel_futures=True)


async def _unless_gone(work: Coroutine[Any, Any, Outputs], gone: Gone) -> Outputs:
    """Return what the work gives; cancel it if the caller leaves first."""
    answer, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((answer, leaving), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        message = "The caller left before the answer."
        raise ClientGoneError(message)
    finally:
        answer.cancel()
        leaving.cancel()


def _is_same(model: ServedModel, entry: LedgerEntry) -> bool:
    return model.manifest.sha256 == entry.manifest.sha256 and model.version == entry.manifest.version
