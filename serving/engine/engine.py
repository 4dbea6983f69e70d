"""The engine: takes a checked request to the version that answers, on the thread where it runs soonest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contracts import Array, FactoryError, LedgerEntry
from gpu import available_threads
from store import ReleaseStore

from .release import ServedModel, open_release
from .repository import ModelRepository

INLINE_BUDGET_S = 0.0005
"""A run this short is over before a thread would have taken it: it runs where it is asked."""

log = logging.getLogger(__name__)


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
        self._runners = ThreadPoolExecutor(threads or available_threads(), thread_name_prefix="infer")
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="open")

    async def infer(self, name: str, feeds: Mapping[str, Array], version: str | None = None) -> Result:
        """Answer one request.

        Args:
            name: of the model.
            feeds: name → array for every input.
            version: one that is open; None for the champion.

        Raises:
            NotFoundError: if the model or version is not served.
            TensorError: if the request does not fit the signature.
            OverloadedError: if the model is not ready.
            ModelError: if the graph fails.
        """
        model = self.models.find(name, version)
        rows = model.check(feeds)
        if model.run_s * rows <= INLINE_BUDGET_S:
            return Result(model, model.run(feeds))
        outputs = await asyncio.get_running_loop().run_in_executor(self._runners, model.run, feeds)
        return Result(model, outputs)

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
                self.models.swap(slot.previous)
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
        self.models.swap(model)
        log.info("version %s of %r answers", model.version, model.name)

    def close(self) -> None:
        """Stop the threads; what they run is finished first."""
        self._runners.shutdown(wait=True, cancel_futures=True)
        self._opener.shutdown(wait=True, cancel_futures=True)


def _is_same(model: ServedModel, entry: LedgerEntry) -> bool:
    return model.manifest.sha256 == entry.manifest.sha256 and model.version == entry.manifest.version
