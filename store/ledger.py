"""The promotion ledger: the truth of who is champion, now and at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from contracts import Action, LedgerEntry, PromotionError, ReleaseManifest, StoreError, Task, from_ms, to_ms

from . import counters
from .chain import Chain, ChainBreak, ChainHead
from .database import Database
from .documents import decode_model, encode_model
from .schema import ledger


class Ledger:
    """Promotions and rollbacks of every model, append-only."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._chain = Chain(database, ledger, clock)

    def append(self, action: Action, manifest: ReleaseManifest, actor: str, reason: str = "") -> LedgerEntry:
        """Make a release the champion of its name.

        Args:
            action: what is done.
            manifest: the release that is champion from then on.
            actor: who does it.
            reason: why; required for an override.

        Raises:
            PromotionError: if an override gives no reason, or a rollback names a release that was
                not champion before the present one.
        """
        if action is Action.OVERRIDE and not reason.strip():
            message = f"Overriding the gates of {manifest.name!r} version {manifest.version} needs a reason. Give one."
            raise PromotionError(message)
        document = encode_model(manifest, f"The manifest of {manifest.name!r}")
        with self._database.write() as connection:
            counters.lock(connection, ledger.name)  # before it is read who is champion
            fields = {
                "action": action.value,
                "name": manifest.name,
                "version": manifest.version,
                "sha256": manifest.sha256,
                "manifest": document,
                "actor": actor,
                "reason": reason,
                "before": _before(connection, action, manifest),
            }
            return _entry(self._chain.append(connection, fields))

    def champion(self, name: str, at: datetime | None = None) -> LedgerEntry | None:
        """Return the entry that made the champion of a name, now or at a time; None before the first."""
        query = select(ledger).where(ledger.c.name == name).order_by(ledger.c.sequence.desc()).limit(1)
        if at is not None:
            query = (
                select(ledger)
                .where(ledger.c.name == name, ledger.c.time_ms <= to_ms(at))
                .order_by(ledger.c.time_ms.desc(), ledger.c.sequence.desc())
                .limit(1)
            )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _entry(row._asdict())

    def previous(self, name: str) -> LedgerEntry | None:
        """Return the entry whose release a rollback brings back; None where there is none."""
        with self._database.read() as connection:
            present = _present(connection, name)
            if present is None or present.before is None:
                return None
            return _entry(_at(connection, present.before)._asdict())

    def champions(self) -> dict[str, LedgerEntry]:
        """Return the present champion's entry by name: of every model, rule sets left out."""
        return {name: entry for name, entry in self._latest().items() if entry.manifest.task is not Task.RULES}

    def rule_sets(self) -> dict[str, LedgerEntry]:
        """Return the entry of the rule set that stands, by name."""
        return {name: entry for name, entry in self._latest().items() if entry.manifest.task is Task.RULES}

    def _latest(self) -> dict[str, LedgerEntry]:
        latest = select(func.max(ledger.c.sequence)).group_by(ledger.c.name)
        query = select(ledger).where(ledger.c.sequence.in_(latest)).order_by(ledger.c.name)
        with self._database.read() as connection:
            return {row.name: _entry(row._asdict()) for row in connection.execute(query)}

    def entries(self, name: str | None = None, after: int = 0, limit: int = 1000) -> list[LedgerEntry]:
        """Return entries after a sequence number, oldest first, of one name or of all."""
        query = select(ledger).where(ledger.c.sequence > after).order_by(ledger.c.sequence).limit(limit)
        if name is not None:
            query = query.where(ledger.c.name == name)
        with self._database.read() as connection:
            return [_entry(row._asdict()) for row in connection.execute(query)]

    def last_sequence(self) -> int:
        """Return the last entry's sequence number: a cheap way to see whether anything changed."""
        with self._database.read() as connection:
            return counters.peek(connection, ledger.name)

    def head(self) -> ChainHead:
        """Return the end of the hash chain, to be kept elsewhere."""
        return self._chain.head()

    def verify(self, head: ChainHead | None = None) -> ChainBreak | None:
        """Return the first broken entry, None where there is none; see :meth:`Chain.verify`."""
        return self._chain.verify(head)


def _before(connection: Connection, action: Action, manifest: ReleaseManifest) -> int | None:
    """Return the entry that a rollback from the new one leads to.

    Promotions pile up and a rollback takes them off again, so that rolling back twice goes back two
    releases and not to the one that was just taken off.
    """
    present = _present(connection, manifest.name)
    if action is not Action.ROLLBACK:
        if present is None:
            return None
        again = (present.version, present.sha256) == (manifest.version, manifest.sha256)
        return _sequence(present.before if again else present.sequence)
    earlier = present
    while earlier is not None and earlier.before is not None:
        earlier = _at(connection, earlier.before)
        if (earlier.version, earlier.sha256) == (manifest.version, manifest.sha256):
            return _sequence(earlier.before)
    message = (
        f"{manifest.name!r} version {manifest.version} was not champion before the present one, so that nothing "
        "can be rolled back to it. Promote it instead."
    )
    raise PromotionError(message)


def _sequence(value: Any) -> int | None:
    return None if value is None else int(value)


def _present(connection: Connection, name: str) -> Row[Any] | None:
    query = select(ledger).where(ledger.c.name == name).order_by(ledger.c.sequence.desc()).limit(1)
    return connection.execute(query).one_or_none()


def _at(connection: Connection, sequence: int) -> Row[Any]:
    row = connection.execute(select(ledger).where(ledger.c.sequence == sequence)).one_or_none()
    if row is None:
        message = f"Entry {sequence} of the ledger is missing. Verify the ledger and restore the store from a backup."
        raise StoreError(message)
    return row


def _entry(row: Mapping[str, Any]) -> LedgerEntry:
    what = f"Entry {row['sequence']} of the ledger"
    return LedgerEntry(
        sequence=row["sequence"],
        time=from_ms(row["time_ms"]),
        action=Action(row["action"]),
        manifest=decode_model(ReleaseManifest, row["manifest"], what),
        actor=row["actor"],
        reason=row["reason"],
        previous_hash=row["previous_hash"],
        hash=row["hash"],
    )
