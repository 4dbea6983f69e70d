"""The store: one database with everything that must not be lost, each part under its name."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from . import counters
from .assignments import Assignments
from .audit import Audit
from .changes import Changes
from .database import Database
from .episodes import Episodes
from .inbox import Inbox
from .incidents import Incidents
from .leases import Leases
from .ledger import Ledger
from .migration import prepare_schema
from .outbox import Outbox
from .places import Places
from .readings import Readings
from .runtime import Runtime
from .signs import Signs
from .verdicts import Verdicts


def wall_clock_ms() -> int:
    """Return the present time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


class Store:
    """Everything that must not be lost; safe to share between threads, to be opened anew in each process.

    Args:
        database: whose schema is this program's; use :meth:`open`.
        clock: returns the present time in milliseconds, UTC; stamps the ledger, the audit and what was sent.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self.places = Places(database)
        self.signs = Signs(database)
        self.inbox = Inbox(database, self.signs)
        self.readings = Readings(database, self.signs)
        self.leases = Leases(database)
        self.runtime = Runtime(database)
        self.episodes = Episodes(database)
        self.incidents = Incidents(database)
        self.outbox = Outbox(database, clock)
        self.verdicts = Verdicts(database)
        self.ledger = Ledger(database, clock)
        self.assignments = Assignments(database, self.signs)
        self.audit = Audit(database, clock)
        self.changes = Changes(database)

    @classmethod
    def open(
        cls, url: str, *, create: bool = True, durable: bool = True, clock: Callable[[], int] = wall_clock_ms
    ) -> Self:
        """Open a store, bringing an older schema up to date.

        Args:
            url: ``sqlite:///path/store.db`` or ``postgresql+psycopg://user@host/name``.
            create: make the store where there is none.
            durable: a commit waits for the disk and survives a power cut. Without it a commit still
                survives the death of any of our processes.
            clock: returns the present time in milliseconds, UTC.

        Raises:
            SchemaError: if its schema is newer than this program.
            StoreError: if it cannot be opened, made or brought up to date.
        """
        database = Database(url, durable=durable)
        try:
            prepare_schema(database, create=create)
        except BaseException:
            database.close()
            raise
        return cls(database, clock)

    def decided(self) -> tuple[int, int]:
        """Return the last sequence numbers of the ledger and of the audit, in one look."""
        with self._database.read() as connection:
            found = counters.peek_all(connection, ("ledger", "audit"))
        return found["ledger"], found["audit"]

    def close(self) -> None:
        """Close every connection."""
        self.changes.disconnect()
        self._database.close()

    def __enter__(self) -> Self:
        """Return the store, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self.close()
