"""The runtime: the one writer of episodes. It reads the inbox in order, asks models, and commits each instant whole.

Killed at any moment and started again, it goes on from its last commit and comes to the same episodes. One that was
paused and lost its lease is refused its next commit and ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from contracts import FactoryError, PlaceTree, SignCatalogue, Task
from early_warning import Outcome, WarningEngine
from knowledge_graph import CompiledRules
from store import RuntimeCommit, Store

from .configuration import compile_packs, configure, released_rules
from .inference import ServedModels
from .patience import PatientModels, Stopped
from .questions import Respondent, ask
from .settings import RuntimeSettings
from .status import STATUS_KEY, status_entry

MS = 1000

logger = logging.getLogger(__name__)


def run_runtime(settings: RuntimeSettings, stop: threading.Event | None = None) -> None:
    """Run until asked to stop.

    Args:
        settings: what to run.
        stop: set to end it after the instant at hand.

    Raises:
        LeaseError: if another holds the shard, or takes it meanwhile.
        ConfigurationError: if packs, rules or policy are wrong.
        AccessError: if serving refuses its key.
        StoreError: if the store cannot be used.
    """
    stopping = stop or threading.Event()
    served = ServedModels(settings.serving_url, settings.serving_key, timeout_s=settings.timeout_s, tls=settings.tls)
    with Store.open(settings.store_url) as store, served:
        Runtime(settings, store, served, stopping).run()


class Runtime:
    """One holder of one shard.

    Args:
        settings: what to run.
        store: where everything is kept.
        respondent: who answers for models.
        stop: set when it is to end.
    """

    def __init__(self, settings: RuntimeSettings, store: Store, respondent: Respondent, stop: threading.Event) -> None:
        self._settings = settings
        self._store = store
        self._stop = stop
        self._models = PatientModels(respondent, settings.patience_s, stop, self._keep_lease)
        self._renew_at_ms = 0
        self._tick_at_ms = 0
        self._offset = 0
        self._committed = 0
        self._decided_ms: int | None = None
        self._refused: str | None = None
        self._rules: Mapping[str, CompiledRules] = {}

    def run(self) -> None:
        """Acquire the shard, work until asked to stop, release it."""
        settings = self._settings
        self._lease = self._store.leases.acquire(settings.shard, settings.holder, settings.lease_ttl_s, now_ms())
        try:
            self._load()
            while not self._stop.is_set():
                if not self._work():
                    self._stop.wait(settings.poll_s)
        except Stopped:
            logger.info("Asked to stop while waiting for an answer; nothing was decided")
        finally:
            self._store.leases.release(self._lease)

    def _load(self) -> None:
        """Go on from the last commit: first the instants that its items made due."""
        loaded = self._store.runtime.load(self._settings.shard)
        self._offset = self._committed = loaded.offset
        told = loaded.state.pop(STATUS_KEY, None)
        self._decided_ms = None if told is None else told["decided_ms"]
        self._configure(loaded.state)
        self._keep_lease()
        logger.info("Holding the shard %s, going on after item %d", self._settings.shard, self._offset)
        self._decide_due()

    def _configure(self, state: Mapping[str, Any]) -> None:
        self._ledger_head = self._store.ledger.last_sequence()
        self._rules = self._compile_rules()
        configuration = configure(self._store, self._settings.packs, self._settings.policy, self._rules)
        self._engine = WarningEngine(configuration, state)
        models = sorted({assignment.model for assignment in configuration.assignments.values()})
        logger.info("Forecasters: %s; signs: %d", ", ".join(models) or "none", len(configuration.signs))

    def _work(self) -> bool:
        """Deal with the next items; return whether there were any."""
        self._keep_lease()
        self._keep_time()
        items = self._store.inbox.read(self._offset, self._settings.batch)
        for item in items:
            self._engine.accept(item)
            self._offset = item.sequence
            self._decide_due()
            if self._stop.is_set():
                break
        if items:
            self._commit(self._engine.settle())
        return bool(items)

    def _decide_due(self) -> None:
        """Decide every instant that is due, each in one transaction."""
        while instants := self._engine.due():
            for instant_ms in instants:
                self._follow_ledger()
                forecasts = ask(self._engine.prepare(instant_ms), self._models)
                outcome = self._engine.decide(instant_ms, forecasts)
                self._decided_ms = instant_ms
                self._commit(outcome)
                self._keep_lease()
                if self._stop.is_set():
                    return

    def _follow_ledger(self) -> None:
        """Take up a new champion, or other rules, before the next instant."""
        head = self._store.ledger.last_sequence()
        if head == self._ledger_head:
            return
        new = self._store.ledger.entries(after=self._ledger_head)
        if all(entry.manifest.task is Task.RULES for entry in new):
            self._ledger_head = head
            self._reload_rules()
        else:
            self._commit(self._engine.settle())
            loaded = self._store.runtime.load(self._settings.shard)
            self._configure({key: value for key, value in loaded.state.items() if key != STATUS_KEY})

    def _reload_rules(self) -> None:
        started, before = time.perf_counter(), self._rules
        self._rules = self._compile_rules()
        if self._rules is not before:
            self._engine.replace_rules(self._rules)
            logger.info("Other rules are in force after %.3f s", time.perf_counter() - started)

    def _compile_rules(self) -> Mapping[str, CompiledRules]:
        """Return the rules that the ledger names; those that cannot be used leave the ones in force, if there are."""
        settings = self._settings
        signs, places = SignCatalogue(self._store.signs.all()), PlaceTree(self._store.places.all())
        try:
            released = released_rules(self._store, settings.releases_url)
            rules = compile_packs(settings.packs, signs, places, released)
        except FactoryError as exc:
            if not self._rules:
                raise
            self._refused = str(exc)
            logger.error("The promoted rules are not in force, those before them are: %s", exc)  # noqa: TRY400
            return self._rules
        self._refused = None
        return rules

    def _commit(self, outcome: Outcome) -> None:
        now = now_ms()
        step = RuntimeCommit(
            offset=self._offset,
            state=outcome.state
            | {STATUS_KEY: status_entry(self._settings.holder, self._decided_ms, now, self._refused)},
            episodes=outcome.episodes,
            incidents=outcome.incidents,
            outbox=outcome.outbox,
        )
        self._store.runtime.commit(self._lease, step)
        self._committed = self._offset
        for episode in outcome.episodes:
            logger.info("%s %s %s at %s: %s", episode.id, episode.status, episode.level, episode.place, episode.title)

    def _keep_lease(self) -> None:
        """Renew the lease when a third of it is over, and say that the runtime lives."""
        now = now_ms()
        if now < self._renew_at_ms:
            return
        ttl_s = self._settings.lease_ttl_s
        self._lease = self._store.leases.renew(self._lease, ttl_s, now)
        self._renew_at_ms = now + round(ttl_s * MS / 3)
        self._store.runtime.commit(self._lease, RuntimeCommit(self._committed, self._status(now)))

    def _status(self, now: int) -> dict[str, Any]:
        return {STATUS_KEY: status_entry(self._settings.holder, self._decided_ms, now, self._refused)}

    def _keep_time(self) -> None:
        """Write a tick of the system's clock into the inbox when one is due."""
        now = now_ms()
        if self._settings.clock == "system" and now >= self._tick_at_ms:
            self._store.inbox.append_tick(now)
            self._tick_at_ms = now + round(self._settings.tick_s * MS)


def now_ms() -> int:
    """Return the system's time in milliseconds UTC."""
    return time.time_ns() // 1_000_000
