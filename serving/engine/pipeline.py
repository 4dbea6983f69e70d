"""Pipelines: a request passes a small graph of stages, each with threads or a batching queue of its own.

    request ─▶ decode ─▶ pre ─▶ core ─▶ post ─▶ answer
               threads   threads  batches  threads

A stage is a plain callable, which runs on the engine's bounded threads, or a :class:`~serving.engine.Batcher`, which
takes feeds (name → array) and runs what several requests bring together. A stage is given the results of the stages it
needs, in that order; ``REQUEST`` names what the pipeline was asked. The stages of one request run one after the other,
those of several requests side by side. The last stage's result is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from contracts import ConfigurationError, Problem

from .batcher import Batcher, Priority
from .workers import WorkerPool

REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step.

    Attributes:
        name: unique within its pipeline.
        work: a callable, or the queue of a model or of a part of one.
        needs: names of earlier stages, or ``REQUEST``, whose results it is given. A queue's results are merged
            into its feeds.
    """

    name: str
    work: Callable[..., Any] | Batcher
    needs: tuple[str, ...] = (REQUEST,)


class Pipeline:
    """A graph of stages.

    Args:
        name: for messages.
        stages: each after those it needs; the last one gives the answer.
        workers: threads that run callables.

    Raises:
        ConfigurationError: listing every name that stands twice and every need that no earlier stage meets.
    """

    def __init__(self, name: str, stages: Sequence[Stage], workers: WorkerPool) -> None:
        self.name = name
        self.stages = tuple(stages)
        self._workers = workers
        self._check()

    async def run(self, request: Any, priority: Priority, deadline: float) -> Any:
        """Pass a request through all stages.

        Args:
            request: what the stages that need ``REQUEST`` are given.
            priority: its class in every queue.
            deadline: on the monotonic clock; no stage begins after it.

        Raises:
            OverloadedError: if a queue or the threads would not be done in time.
            DeadlineError: if the deadline passes while a stage waits.
            FactoryError: what a stage raises.
        """
        results: dict[str, Any] = {REQUEST: request}
        for stage in self.stages:
            results[stage.name] = await self._work(stage, results, priority, deadline)
        return results[self.stages[-1].name]

    async def _work(self, stage: Stage, results: dict[str, Any], priority: Priority, deadline: float) -> Any:
        given = [results[need] for need in stage.needs]
        if not isinstance(stage.work, Batcher):
            return await self._workers.run(stage.work, *given, deadline=deadline)
        feeds = {name: array for part in given for name, array in part.items()}
        rows = next(iter(feeds.values())).shape[0]
        return await stage.work.submit(feeds, rows, priority, deadline)

    def _check(self) -> None:
        problems = []
        known = {REQUEST}
        for stage in self.stages:
            unmet = [need for need in stage.needs if need not in known]
            if stage.name in known:
                problems.append(Problem(stage.name, "stands twice.", "Give every stage a name of its own."))
            if unmet or not stage.needs:
                problems.append(Problem(stage.name, f"needs {unmet}.", f"Earlier stages are {sorted(known)}."))
            known.add(stage.name)
        if problems or not self.stages:
            title = f"The pipeline {self.name!r}"
            raise ConfigurationError(title, problems or [Problem(self.name, "has no stage.", "Give it one.")])
