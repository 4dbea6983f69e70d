"""The engine: takes a checked request to the version that answers, on the thread where it runs soonest."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from contracts import Array, FactoryError, LedgerEntry, ModelError, ReleaseManifest, TensorError, TrialPlan
from gpu import available_threads
from serving.errors import ClientGoneError
from store import ReleaseStore

from .batcher import Batcher, Priority, Runnable
from .cache import ResponseCache
from .pipeline import Pipeline
from .release import ServedModel, open_release
from .repository import ModelRepository, Slot
from .trials import Trial, Trials, look
from .workers import WorkerPool

INLINE_BUDGET_S = 0.0005
"""A run this short is over before a thread would have taken it: it runs where it is asked."""

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

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
        cache_bytes: of answers that are kept for requests that repeat; 0 keeps none.
    """

    def __init__(self, releases: ReleaseStore, *, threads: int | None = None, cache_bytes: int = 0) -> None:
        self.models = ModelRepository()
        self._releases = releases
        self._threads = threads or available_threads()
        self._runners = ThreadPoolExecutor(self._threads, thread_name_prefix="infer")
        self._queues: dict[Runnable, Batcher] = {}
        self.trials = Trials()
        self._looking: set[asyncio.Future[None]] = set()
        self.workers = WorkerPool(self._threads)
        self._cache = ResponseCache(cache_bytes) if cache_bytes else None
        self._openings: dict[str, asyncio.Task[None]] = {}
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
        trial = self.trials.get(name) if self.trials else None
        if trial is None:
            return Result(model, await self._answer(model, feeds, rows, urgency, gone))
        if not version and trial.takes(urgency.priority):
            try:
                outputs = await self._answer(trial.model, feeds, trial.model.check(feeds), urgency, gone)
            except (ModelError, TensorError) as exc:  # the champion answers after all
                trial.failed(str(exc))
            else:
                trial.answered()
                return Result(trial.model, outputs)
        result = Result(model, await self._answer(model, feeds, rows, urgency, gone))
        if model is self.models.champion(name) and trial.may_look() and self._is_idle():
            trial.busy = True
            self._looking.add(task := asyncio.ensure_future(self._look(trial, result, feeds)))
            task.add_done_callback(self._looking.discard)
        return result

    def is_instant(self, model: ServedModel) -> bool:
        """Return whether :meth:`run_now` may answer for a version: its runs are short, and nothing stands between."""
        return model.run_s <= INLINE_BUDGET_S and self._cache is None and self.trials.get(model.name) is None

    def run_now(self, model: ServedModel, feeds: Mapping[str, Array]) -> dict[str, Array] | None:
        """Run a request on the calling thread if that is over at once; None where it would take too long.

        Raises:
            TensorError: if the request does not fit the signature.
            ModelError: if the graph fails.
        """
        rows = model.check(feeds)
        return _run_here(model, feeds, rows) if model.run_s * rows <= INLINE_BUDGET_S else None

    async def _answer(
        self, model: ServedModel, feeds: Mapping[str, Array], rows: int, urgency: Urgency, gone: Gone | None
    ) -> dict[str, Array]:
        if self._cache is None:
            return await self._compute(model, feeds, rows, urgency, gone)
        started = time.perf_counter()
        key = self._cache.key(model, feeds)
        kept = self._cache.get(key)
        (model.usage.missed if kept is None else model.usage.recalled).add(time.perf_counter() - started)
        if kept is None:
            kept = await self._compute(model, feeds, rows, urgency, gone)
            self._cache.put(key, kept)
        return kept

    async def _compute(
        self, model: ServedModel, feeds: Mapping[str, Array], rows: int, urgency: Urgency, gone: Gone | None
    ) -> dict[str, Array]:
        if model.run_s * rows <= INLINE_BUDGET_S:
            return _run_here(model, feeds, rows)
        deadline = time.monotonic() + urgency.timeout_s
        work = self.queue(model).submit(feeds, rows, urgency.priority, deadline)
        return await (work if gone is None else _unless_gone(work, gone))

    def _is_idle(self) -> bool:
        """Return whether a thread is free and nothing waits for one."""
        queues = self._queues.values()
        return sum(queue.running for queue in queues) < self._threads and not any(queue.waiting for queue in queues)

    async def _look(self, trial: Trial, answered: Result, feeds: Mapping[str, Array]) -> None:
        """Let a challenger run on what the champion answered."""
        loop = asyncio.get_running_loop()
        try:
            found, taken_s = await loop.run_in_executor(self._runners, look, trial, feeds, answered.outputs)
        except FactoryError as exc:
            trial.failed(str(exc))
        else:
            trial.compared(answered.model, found, taken_s)
        finally:
            trial.busy = False

    async def begin_trial(self, plan: TrialPlan, manifest: ReleaseManifest) -> Trial:
        """Open a challenger and try it beside its champion.

        Raises:
            ArtefactError: if it cannot be opened or does not repeat its golden outputs.
            TensorError: if it takes or gives other tensors than the champion.
        """
        model = await asyncio.get_running_loop().run_in_executor(self._opener, open_release, self._releases, manifest)
        champion = self.models.champion(plan.name)
        if champion is not None and champion.signature != model.signature:
            message = f"Version {plan.version} of {plan.name!r} takes or gives other tensors than the champion."
            raise TensorError(message)
        trial = Trial(plan, model)
        self.trials.begin(trial)
        log.info("version %s of %r is on trial", plan.version, plan.name)
        return trial

    def end_trial(self, name: str) -> None:
        """End a trial; its challenger's memory is free when its last run is over."""
        self.trials.end(name)
        self._forget_queues()

    async def run(
        self, pipeline: Pipeline, request: Any, *, urgency: Urgency = DEFAULT_URGENCY, gone: Gone | None = None
    ) -> Any:
        """Pass a request through a pipeline.

        Args:
            pipeline: its stages.
            request: what it is asked, such as the bytes of a picture.
            urgency: its class and how long an answer is worth something.
            gone: returns once the caller has left; what its request still waits for is dropped then.

        Raises:
            ClientGoneError: if the caller left first.
            DeadlineError: if the deadline passed while a stage waited.
            OverloadedError: if a stage would not be done in time.
            FactoryError: what a stage raises.
        """
        work = pipeline.run(request, urgency.priority, time.monotonic() + urgency.timeout_s)
        return await (work if gone is None else _unless_gone(work, gone))

    def queue(self, model: Runnable) -> Batcher:
        """Return the queue of an open version or of one of its parts; it lives as long as the version."""
        found = self._queues.get(model)
        if found is None:
            found = Batcher(model, self._runners, self._threads)
            if model in self._held():  # a version that was let go meanwhile is not kept alive by its queue
                self._queues[model] = found
        return found

    def _held(self) -> set[Runnable]:
        """Return every open version and every part of one."""
        held: set[Runnable] = set()
        tried = (trial.model for trial in self.trials.all())
        for model in (*self.models.opened(), *tried):
            held |= {model, *model.parts.values()}
        return held

    async def follow(self, entries: Mapping[str, LedgerEntry]) -> None:
        """Bring the served versions in line with the ledger; one that cannot be opened replaces nothing.

        What is open already answers when this returns; what is not is opened meanwhile (see :meth:`settle`), so that
        nothing that loads, or fails to, holds up a rollback.

        Args:
            entries: the present champion's entry by name.
        """
        for name, entry in entries.items():
            slot = self.models.slot(name)
            slot.wanted = entry.manifest
            if slot.unloaded:
                continue
            if _answers(slot, entry.manifest):
                slot.failure = None
            elif slot.previous is not None and _is_same(slot.previous, entry.manifest):
                self._swap(slot.previous)
            elif name not in self._openings:
                self._openings[name] = opening = asyncio.ensure_future(self._open(name, slot))
                opening.add_done_callback(lambda _, name=name: self._openings.pop(name))  # type: ignore[misc]

    async def settle(self) -> None:
        """Return once everything that the last :meth:`follow` wanted answers, or failed to."""
        while self._openings:
            await asyncio.gather(*self._openings.values())

    async def _open(self, name: str, slot: Slot) -> None:
        """Open what the ledger wants of a name; if it wants another version by then, open that."""
        loop = asyncio.get_running_loop()
        while not slot.unloaded and (manifest := slot.wanted) is not None and not _answers(slot, manifest):
            try:
                model = await loop.run_in_executor(self._opener, open_release, self._releases, manifest)
            except Exception as exc:  # noqa: BLE001 - whatever fails, the version before goes on answering
                if slot.wanted == manifest:
                    _note_failure(slot, manifest, exc)
                    return
            else:
                if slot.wanted == manifest and not slot.unloaded:
                    self._swap(model)
                    log.info("version %s of %r answers", model.version, name)

    def _swap(self, model: ServedModel) -> None:
        """Let a version answer, and forget the queues of those let go: what they hold ends with their last request."""
        self.models.swap(model)
        trial = self.trials.get(model.name)
        if trial is not None and trial.model.version == model.version:
            self.trials.end(model.name)  # the challenger has become the champion
        self._forget_queues()

    def unload(self, name: str) -> None:
        """Take a model out of service; what runs is answered, then its memory is free."""
        self.models.unload(name)
        if self._cache is not None:
            self._cache.forget(name)
        self._forget_queues()

    def allow(self, name: str) -> None:
        """Let a model that was taken out of service be opened again by the next :meth:`follow`."""
        self.models.slot(name).unloaded = False

    def _forget_queues(self) -> None:
        held = self._held()
        self._queues = {kept: queue for kept, queue in self._queues.items() if kept in held}

    def close(self) -> None:
        """Stop the threads; what they run is finished first."""
        self.workers.close()
        self._runners.shutdown(wait=True, cancel_futures=True)
        self._opener.shutdown(wait=True, cancel_futures=True)


def _run_here(model: ServedModel, feeds: Mapping[str, Array], rows: int) -> dict[str, Array]:
    started = time.perf_counter()
    outputs = model.run(feeds)
    model.usage.ran(1, rows, time.perf_counter() - started)
    return outputs


async def _unless_gone(work: Coroutine[Any, Any, _Answer], gone: Gone) -> _Answer:
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


def _answers(slot: Slot, manifest: ReleaseManifest) -> bool:
    return slot.champion is not None and _is_same(slot.champion, manifest)


def _note_failure(slot: Slot, manifest: ReleaseManifest, exc: Exception) -> None:
    text = str(exc) if isinstance(exc, FactoryError) else repr(exc)
    if slot.failure != text:
        log.error("version %s of %r is not served: %s", manifest.version, manifest.name, text)
    slot.failure = text


def _is_same(model: ServedModel, manifest: ReleaseManifest) -> bool:
    return model.manifest.sha256 == manifest.sha256 and model.version == manifest.version
