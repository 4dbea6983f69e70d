"""One database, SQLite or PostgreSQL: connections, transactions and errors that say what to do.

Not a model of the tables (``schema``) and not their history (``migration``).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from contracts import StoreError

BUSY_TIMEOUT_S = 30.0
WAL_SIZE_LIMIT_BYTES = 64 * 1024 * 1024
_SCHEMES = ("sqlite", "postgresql+psycopg")
_WRITES = "cityforge_writes"

_REMEDIES = (
    ("readonly database", "Make the file, its folder and the disk writable for this user."),
    ("read-only", "Make the file, its folder and the disk writable for this user."),
    ("unable to open database file", "Check that the folder exists and that this user may write in it."),
    ("disk is full", "Free space on the disk; nothing that was answered is lost."),
    ("disk I/O error", "Check the disk and its free space."),
    ("not a database", "The file is damaged or no store. Restore it from a backup, or move it away and start anew."),
    ("malformed", "The file is damaged. Restore it from a backup, or move it away and start anew."),
    ("is locked", f"Another process wrote for more than {BUSY_TIMEOUT_S:.0f} s. Find and stop it, then try again."),
    ("append-only", "Add a new entry that corrects the old one."),
    ("FOREIGN KEY", "Put the places and signs it names into the store first."),
    ("foreign key", "Put the places and signs it names into the store first."),
    ("connection", "Check that the database server runs, and the host, user and password of the URL."),
)


class Database:
    """Connections to one database, each transaction whole or not at all.

    Args:
        url: ``sqlite:///file.db`` or ``postgresql+psycopg://user@host/name``.
        durable: wait until a commit is on the disk, so that it survives a power cut. Without it a
            commit still survives the death of every process of ours.

    Raises:
        StoreError: if the URL is not one of these, or its folder is missing.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self._url = _parse(url)
        self._engine = _sqlite(self._url, durable) if self.is_sqlite else _postgresql(self._url, durable)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        self._driver_error: type[Exception] = self._engine.dialect.loaded_dbapi.Error

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite; else it is PostgreSQL."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The URL without its password, for messages."""
        return self._url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(self._url.database) if self.is_sqlite and self._url.database else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection on one snapshot (SQLite) or with committed reads (PostgreSQL).

        Raises:
            StoreError: if the database cannot be read.
        """
        with self.explained("read"), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a write transaction: committed at the end, rolled back on any error.

        On SQLite there is one writer at a time; on PostgreSQL writers meet only at rows they both lock.

        Raises:
            StoreError: if the database cannot be written.
        """
        with self.explained("write"), self._writer.connect() as connection, connection.begin():
            yield connection

    def enable_wal(self) -> None:
        """Set SQLite's write-ahead log, which readers and a writer share; it stays set in the file.

        Two processes that open a new file at once cannot both change its mode, and SQLite's own
        waiting does not cover that moment.

        Raises:
            StoreError: if the file stays locked or cannot be written.
        """
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                self._switch_to_wal()
            except StoreError as exc:
                if "is locked" not in str(exc) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def raw_connection(self) -> Any:
        """Return a driver's connection of its own, outside the pool; whoever asks closes it.

        Any thread may use it, one at a time.

        Raises:
            StoreError: if the database cannot be reached.
        """
        with self.explained("read"):
            if self.file is not None:
                return sqlite3.connect(self.file, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            arguments, options = self._engine.dialect.create_connect_args(self._url)
            return self._engine.dialect.loaded_dbapi.connect(*arguments, **options)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _switch_to_wal(self) -> None:
        with self.explained("write"):
            connection = self._engine.raw_connection()  # the mode cannot change inside a transaction
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()

    @contextmanager
    def explained(self, verb: str) -> Iterator[None]:
        """Turn the driver's errors inside the block into errors that say what to do.

        Raises:
            StoreError: in place of them.
        """
        try:
            yield
        except (SQLAlchemyError, self._driver_error) as exc:  # the driver itself while it connects
            raise self._error(verb, exc) from exc

    def _error(self, verb: str, exc: Exception) -> StoreError:
        cause = str(getattr(exc, "orig", None) or exc).strip().splitlines()[0]
        remedy = next((advice for sign, advice in _REMEDIES if sign in cause), "See the cause above in the log.")
        message = f"Cannot {verb} the store {self.name!r}: {cause.rstrip('.')}. {remedy}"
        return StoreError(message)


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as exc:
        message = "The store's URL cannot be read. Use 'sqlite:///path/store.db' or 'postgresql+psycopg://host/name'."
        raise StoreError(message) from exc
    shown = url.render_as_string(hide_password=True)
    if url.drivername not in _SCHEMES:
        message = f"The store's URL {shown!r} must begin with one of {', '.join(_SCHEMES)}."
        raise StoreError(message)
    if url.drivername == "sqlite":
        _check_file(url.database, shown)
    return url


def _check_file(database: str | None, shown: str) -> None:
    if not database or database == ":memory:":
        message = f"The store's URL {shown!r} names no file, and memory is no store. Use 'sqlite:///path/store.db'."
        raise StoreError(message)
    folder = Path(database).parent
    if not folder.is_dir():
        message = f"The folder {str(folder)!r} of the store does not exist. Create it or correct the URL {shown!r}."
        raise StoreError(message)


def _sqlite(url: URL, durable: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    settings = (
        "PRAGMA foreign_keys = ON",
        f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}",
        f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT_BYTES}",
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours, below: the driver's own comes too late for a snapshot
        for statement in settings:
            connection.execute(statement)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL, durable: bool) -> Engine:
    options = f"-c timezone=UTC -c synchronous_commit={'on' if durable else 'off'}"
    return create_engine(url, pool_pre_ping=True, connect_args={"options": options})
