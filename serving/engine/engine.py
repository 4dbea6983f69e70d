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
from .pipeline import Pipeline
from .release import ServedModel, open_release
from .repository import ModelRepository
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
    """

    def __init__(self, releases: ReleaseStore, *, threads: int | None = None) -> None:
        self.models = ModelRepository()
        self._releases = releases
        self._threads = threads or available_threads()
        self._runners = ThreadPoolExecutor(self._threads, thread_name_prefix="infer")
        self._queues: dict[Runnable, Batcher] = {}
        self.trials = Trials()
        self._looking: set[asyncio.Future[None]] = set()
        self.workers = WorkerPool(self._threads)
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

    async def _answer(
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
        trial = self.trials.get(model.name)
        if trial is not None and trial.model.version == model.version:
            self.trials.end(model.name)  # the challenger has become the champion
        self._forget_queues()

    def unload(self, name: str) -> None:
        """Take a model out of service; what runs is answered, then its memory is free."""
        self.models.unload(name)
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


def _is_same(model: ServedModel, entry: LedgerEntry) -> bool:
    return model.manifest.sha256 == entry.manifest.sha256 and model.version == entry.manifest.version
