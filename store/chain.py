"""Hash chains: append-only tables in which every entry seals all those before it.

An entry's hash is the SHA-256 of its columns as canonical JSON, the previous hash among them. A
changed, missing, added or reordered entry breaks the chain at that place. A chain cannot notice that
it was rewritten whole or cut at its end; for that, keep its head elsewhere and check against it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select

from . import counters
from .changes import announce
from .database import Database

GENESIS = "0" * 64
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a chain, to be kept elsewhere.

    Attributes:
        sequence: of the last entry; 0 for an empty chain.
        hash: of the last entry.
    """

    sequence: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first entry at which a chain is broken.

    Attributes:
        sequence: of that entry.
        reason: what is wrong with it.
    """

    sequence: int
    reason: str


class Chain:
    """One append-only table and its counter.

    Args:
        database: where it is.
        table: has ``sequence``, ``time_ms``, ``previous_hash`` and ``hash`` among its columns.
        clock: returns the present time in milliseconds, UTC.
    """

    def __init__(self, database: Database, table: Table, clock: Callable[[], int]) -> None:
        self._database = database
        self._table = table
        self._clock = clock

    def append(self, connection: Connection, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Seal and insert an entry; return its columns.

        Times never go back along the chain, whatever the clock does.
        """
        sequence = counters.lock(connection, self._table.name) + 1
        last = self._last(connection)
        time_ms = self._clock() if last is None else max(self._clock(), last.time_ms)
        previous_hash = GENESIS if last is None else last.hash
        row = {**fields, "sequence": sequence, "time_ms": time_ms, "previous_hash": previous_hash}
        row["hash"] = _seal(row)
        connection.execute(insert(self._table).values(row))
        counters.advance(connection, self._table.name, sequence)
        announce(connection)
        return row

    def head(self) -> ChainHead:
        """Return the end of the chain."""
        with self._database.read() as connection:
            last = self._last(connection)
        return ChainHead() if last is None else ChainHead(last.sequence, last.hash)

    def verify(self, head: ChainHead | None = None) -> ChainBreak | None:
        """Return the first broken entry; None where every entry is as it was written.

        Args:
            head: an end of the chain that was kept elsewhere; the chain must pass through it.
        """
        previous = ChainHead()
        with self._database.read() as connection:
            expected = max(counters.peek(connection, self._table.name), head.sequence if head else 0)
            while rows := self._next(connection, previous.sequence):
                for row in rows:
                    reason = _fault(row, previous, head)
                    if reason is not None:
                        return ChainBreak(previous.sequence + 1, reason)
                    previous = ChainHead(row.sequence, row.hash)
        if previous.sequence < expected:
            return ChainBreak(previous.sequence + 1, f"it is missing; the chain should reach entry {expected}")
        return None

    def _next(self, connection: Connection, after: int) -> Sequence[Row[Any]]:
        query = select(self._table).where(self._table.c.sequence > after).order_by(self._table.c.sequence)
        return connection.execute(query.limit(_ROWS_AT_ONCE)).all()

    def _last(self, connection: Connection) -> Row[Any] | None:
        query = select(self._table).order_by(self._table.c.sequence.desc()).limit(1)
        return connection.execute(query).one_or_none()


def _seal(row: Mapping[str, Any]) -> str:
    sealed = {name: value for name, value in row.items() if name != "hash"}
    text = json.dumps(sealed, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _fault(row: Row[Any], previous: ChainHead, head: ChainHead | None) -> str | None:
    if row.sequence != previous.sequence + 1:
        return f"it is missing; entry {row.sequence} follows entry {previous.sequence}"
    if row.previous_hash != previous.hash:
        return "it does not continue the entry before it"
    if row.hash != _seal(row._asdict()):
        return "its content is not what was sealed"
    if head is not None and row.sequence == head.sequence and row.hash != head.hash:
        return "it is not the entry that was sealed elsewhere"
    return None
