"""The audit: who did what to which thing, append-only and sealed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from . import counters
from .chain import Chain, ChainBreak, ChainHead
from .database import Database
from .documents import decode, encode
from .schema import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit.

    Attributes:
        sequence: its position, from 1.
        time_ms: when, UTC.
        actor: who did it.
        action: what was done, such as ``verdict.given``.
        subject: to what.
        detail: what else is worth knowing, JSON; never a secret.
        previous_hash: hash of the entry before it.
        hash: SHA-256 over this entry and the previous hash.
    """

    sequence: int
    time_ms: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    previous_hash: str
    hash: str


class Audit:
    """What was done, in order."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._chain = Chain(database, audit, clock)

    def append(self, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None) -> AuditEntry:
        """Write down what was done.

        Raises:
            StoreError: if the detail is no JSON, or it cannot be written.
        """
        document = encode(dict(detail or {}), "The detail of an audit entry")
        fields = {"actor": actor, "action": action, "subject": subject, "detail": document}
        with self._database.write() as connection:
            return _entry(self._chain.append(connection, fields))

    def entries(
        self, after: int = 0, limit: int = 1000, *, action: str | None = None, subject: str | None = None
    ) -> list[AuditEntry]:
        """Return entries after a sequence number, oldest first; of one action and one subject where they are given."""
        query = select(audit).where(audit.c.sequence > after).order_by(audit.c.sequence).limit(limit)
        if action is not None:
            query = query.where(audit.c.action == action)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        with self._database.read() as connection:
            return [_entry(row._asdict()) for row in connection.execute(query)]

    def last_sequence(self) -> int:
        """Return the last entry's sequence number: a cheap way to see whether anything changed."""
        with self._database.read() as connection:
            return counters.peek(connection, audit.name)

    def latest(self, actions: Collection[str], after: int = 0) -> list[AuditEntry]:
        """Return the last entry of each subject among some actions, oldest first.

        Args:
            actions: which entries count.
            after: sequence number behind which to look.
        """
        last = (
            select(func.max(audit.c.sequence))
            .where(audit.c.sequence > after, audit.c.action.in_(actions))
            .group_by(audit.c.subject)
        )
        query = select(audit).where(audit.c.sequence.in_(last)).order_by(audit.c.sequence)
        with self._database.read() as connection:
            return [_entry(row._asdict()) for row in connection.execute(query)]

    def about(self, subject: str, actions: Collection[str]) -> list[AuditEntry]:
        """Return all entries of some actions about one subject, oldest first."""
        query = select(audit).where(audit.c.subject == subject, audit.c.action.in_(actions))
        with self._database.read() as connection:
            return [_entry(row._asdict()) for row in connection.execute(query.order_by(audit.c.sequence))]

    def head(self) -> ChainHead:
        """Return the end of the hash chain, to be kept elsewhere."""
        return self._chain.head()

    def verify(self, head: ChainHead | None = None) -> ChainBreak | None:
        """Return the first broken entry, None where there is none; see :meth:`Chain.verify`."""
        return self._chain.verify(head)


def _entry(row: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(**{**row, "detail": decode(row["detail"], f"Audit entry {row['sequence']}")})
