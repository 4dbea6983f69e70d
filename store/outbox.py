"""The outbox: messages written with what they tell of, and sent at least once after that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from contracts import OutboxMessage

from .bulk import insert_missing, one_of
from .database import Database
from .documents import decode, encode
from .schema import outbox


class Outbox:
    """Messages in the order in which they were written."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def pending(self, limit: int) -> list[OutboxMessage]:
        """Return the oldest messages that were not sent yet, at most ``limit``."""
        query = select(outbox).where(outbox.c.sent_ms.is_(None)).order_by(outbox.c.position).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            OutboxMessage(row.id, row.kind, row.time_ms, decode(row.payload, f"Message {row.id!r}")) for row in rows
        ]

    def mark_sent(self, ids: Iterable[str]) -> int:
        """Mark messages as sent; return how many were still waiting."""
        with self._database.write() as connection:
            waiting = outbox.c.sent_ms.is_(None) & one_of(connection, outbox.c.id, ids)
            return connection.execute(update(outbox).where(waiting).values(sent_ms=self._clock())).rowcount


def outbox_rows(messages: Iterable[OutboxMessage]) -> list[dict[str, Any]]:
    """Return the rows of messages."""
    return [
        {
            "id": item.id,
            "kind": item.kind,
            "time_ms": item.time_ms,
            "payload": encode(item.payload, f"The payload of message {item.id!r}"),
        }
        for item in messages
    ]


def write_messages(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert messages; an id that is there already was written before and is not sent again."""
    insert_missing(connection, outbox, rows, "id")
