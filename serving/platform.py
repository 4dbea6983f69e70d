"""Everything one serving process holds: settings, state, engine, and the loop that follows the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from contracts import FactoryError, OverloadedError
from store import ReleaseStore, Store, wall_clock_ms

from .access import KeyRing
from .catalogue import Catalogue
from .engine import InferenceEngine
from .inference_log import InferenceLog
from .metrics import Metrics
from .pictures import PixelBudget
from .settings import MIB, ServingSettings
from .trials import TrialFollower

STORE_THREADS = 4
STORE_QUEUE = 256
LONGEST_RETRY_S = 60.0
LOAD, UNLOAD = "model.load", "model.unload"
"""Orders in the audit that every process over one store follows."""
_RETRY_AFTER_S = 1.0
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")

log = logging.getLogger(__name__)


class Platform:
    """One serving process, apart from its protocols.

    Args:
        settings: what it was told.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self.keys = KeyRing(settings.keys, open_access=settings.open_access)
        self.metrics = Metrics()
        self.releases = ReleaseStore(settings.releases_url.get_secret_value())
        cache_bytes = settings.response_cache_mib * MIB
        self.engine = InferenceEngine(self.releases, threads=settings.threads, cache_bytes=cache_bytes)
        self.store = Store.open(settings.store_url.get_secret_value(), create=True)
        self.catalogue = Catalogue(self.store)
        self._threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")
        self._waiter = ThreadPoolExecutor(1, thread_name_prefix="changes")
        self.pixels = PixelBudget()
        logged = settings.inference_log
        self.inference_log = None if logged is None else InferenceLog(logged, self.metrics)
        self._waiting = 0
        self._watch: asyncio.Task[None] | None = None
        self._seen = -1
        self._orders_seen = 0
        self._refreshing = asyncio.Lock()
        self._trials = TrialFollower(self)
        self._retry_s = settings.refresh_s
        self._retry_at = 0.0

    def now_ms(self) -> int:
        """Return the present time: for what is asked of the world, never for a decision about it."""
        return wall_clock_ms()

    async def start(self) -> None:
        """Open the champions and go on following the ledger."""
        await self.refresh()
        await self.engine.settle()
        self._watch = asyncio.create_task(self._follow(), name="follow-ledger")

    async def stop(self) -> None:
        """Stop following, finish what runs and close everything."""
        self.store.changes.close()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            with contextlib.suppress(FactoryError):  # the store is gone: there is nowhere to write to
                await self._trials.flush()
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def is_alive(self) -> bool:
        """Return whether the process can still do its work: a dead watcher would serve the past for ever."""
        return self._watch is not None and not self._watch.done()

    def is_ready(self) -> bool:
        """Return whether every model answers."""
        return self.is_alive() and self.engine.models.is_ready()

    async def ask(self, function: Callable[_Given, _Found], *args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        """Run a call to the store on its own threads.

        Raises:
            OverloadedError: if too many calls wait already.
        """
        if self._waiting >= STORE_QUEUE:
            message = f"{self._waiting} requests wait for the store."
            raise OverloadedError(message, _RETRY_AFTER_S)
        self._waiting += 1
        try:
            call = lambda: function(*args, **kwargs)  # noqa: E731 - executors take no keywords
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._waiting -= 1

    async def refresh(self) -> None:
        """Look at the ledger and begin to open what is new in it.

        What could not be opened is tried again, ever less often. See the engine's ``settle`` for the end of it.
        """
        async with self._refreshing:
            promoted, audited = await self.ask(self.store.decided)
            await self._follow_orders(audited)
            await self._follow_ledger(promoted)
            await self._trials.follow(audited)

    async def _follow_orders(self, last: int) -> None:
        """Do what the audit says about taking models out of service and back."""
        if last == self._orders_seen:
            return
        for order in await self.ask(self.store.audit.latest, (LOAD, UNLOAD), self._orders_seen):
            if order.action == UNLOAD:
                self.engine.unload(order.subject)
            else:
                self.engine.allow(order.subject)
                self._seen = -1
        self._orders_seen = last

    async def _follow_ledger(self, sequence: int) -> None:
        if sequence != self._seen:
            self._retry_s = self.settings.refresh_s
        elif not self.engine.models.has_failures() or time.monotonic() < self._retry_at:
            return
        await self.engine.follow(await self.ask(self.store.ledger.champions))
        self._seen = sequence
        self._retry_at = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._waiter, self.store.changes.wait, self.settings.refresh_s)
                await self.refresh()
                self.metrics.count_queued(self.engine.models.opened())
            except FactoryError as exc:  # the store may come back; what is open goes on answering
                log.warning("the ledger cannot be read: %s", exc)
                await asyncio.sleep(self.settings.refresh_s)

    def _close(self) -> None:
        self._waiter.shutdown(wait=True, cancel_futures=True)
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.engine.close()
        if self.inference_log is not None:
            self.inference_log.close()
        self.store.close()
