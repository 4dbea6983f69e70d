"""Waiting for a commit of somebody else, so that a promotion is seen at once and no database is polled hard.

On PostgreSQL the ledger and the audit notify who listens. SQLite has a number that every foreign commit changes; it is
read from shared memory, a hundred times a second.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from sqlalchemy import Connection, func, select

from .database import Database

CHANNEL = "cityforge_decided"
_LOOK_S = 0.01
_SLICE_S = 0.5
"""How long a wait for PostgreSQL lasts before it looks whether it was closed."""


def announce(connection: Connection) -> None:
    """Tell those who listen, once this transaction is committed; SQLite tells them by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


class Changes:
    """Waits for changes on a connection of its own; one thread waits at a time.

    Args:
        database: what is watched.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._version: int | None = None
        self._closed = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        """Block until the ledger or the audit may have changed, or the time is over.

        The first call begins to watch: what changed before it is not told.

        Returns:
            Whether something changed. On SQLite this may be any other commit.

        Raises:
            StoreError: if the database cannot be read; the next call tries again.
        """
        deadline = time.monotonic() + timeout_s
        try:
            with self._database.explained("read"):
                return self._wait_sqlite(deadline) if self._database.is_sqlite else self._wait_postgresql(deadline)
        except BaseException:
            self._disconnect()
            raise

    def close(self) -> None:
        """End a wait that goes on, within half a second, and every later one at once."""
        self._closed.set()

    def disconnect(self) -> None:
        """Give the connection back; nobody may wait then."""
        self.close()
        self._disconnect()

    def _wait_sqlite(self, deadline: float) -> bool:
        if self._connection is None:
            self._connection = self._database.raw_connection()
            self._version = self._read_version()
        while not self._closed.is_set():
            version = self._read_version()
            if version != self._version:
                self._version = version
                return True
            if time.monotonic() >= deadline:
                break
            self._closed.wait(_LOOK_S)
        return False

    def _read_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _wait_postgresql(self, deadline: float) -> bool:
        if self._connection is None:
            self._connection = self._database.raw_connection()
            self._connection.autocommit = True
            self._connection.execute(f"LISTEN {CHANNEL}")
        while not self._closed.is_set() and (left_s := deadline - time.monotonic()) > 0:
            for _ in self._connection.notifies(timeout=min(left_s, _SLICE_S), stop_after=1):
                return True
        return False

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it is broken, or was closed before
                connection.close()
