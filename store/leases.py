"""Leases with fencing tokens: of two processes that both think they may write, one is stopped.

A token only grows and is never given twice. A holder that was paused, lost its lease and wakes up
carries an old token, and every write that checks it is refused.

Martin Kleppmann, "How to do distributed locking", 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, select, update

from contracts import LeaseError, StoreError, format_utc

from .bulk import insert_missing
from .database import Database
from .schema import lease

MILLISECONDS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one shard, until another takes it.

    Attributes:
        shard: what may be written.
        holder: who may write it.
        token: grows with every lease of the shard.
        expires_ms: from then on another may take it, UTC.
    """

    shard: str
    holder: str
    token: int
    expires_ms: int


class Leases:
    """One lease for each shard."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, shard: str, holder: str, ttl_s: float, now_ms: int) -> Lease:
        """Take a shard that is free, has expired, or is held under the same name.

        Taking it again under the same name gives a new token too, so that a process that was started
        anew need not wait, and what is left of its former self is fenced off.

        Raises:
            LeaseError: if another holds it.
        """
        expires_ms = _expiry(ttl_s, now_ms)
        with self._database.write() as connection:
            free = {"shard": shard, "holder": None, "token": 0, "expires_ms": 0}
            insert_missing(connection, lease, [free], "shard")
            row = connection.execute(select(lease).where(lease.c.shard == shard).with_for_update()).one()
            if row.holder not in (None, holder) and row.expires_ms > now_ms:
                message = (
                    f"The shard {shard!r} is held by {row.holder!r} until {format_utc(row.expires_ms)}. "
                    f"Wait, or stop that process, before {holder!r} takes it."
                )
                raise LeaseError(message)
            granted = Lease(shard, holder, row.token + 1, expires_ms)
            _write(connection, granted)
        return granted

    def renew(self, held: Lease, ttl_s: float, now_ms: int) -> Lease:
        """Return the same lease with a later expiry, even after it expired if nobody took it.

        Raises:
            LeaseError: if another has taken it.
        """
        renewed = replace(held, expires_ms=_expiry(ttl_s, now_ms))
        with self._database.write() as connection:
            check_lease(connection, held)
            _write(connection, renewed)
        return renewed

    def release(self, held: Lease) -> None:
        """Give a lease back; one that was lost already is left to its new holder."""
        query = update(lease).where(lease.c.shard == held.shard, lease.c.token == held.token)
        with self._database.write() as connection:
            connection.execute(query.values(holder=None, expires_ms=0))


def check_lease(connection: Connection, held: Lease) -> None:
    """Check that a lease still holds, and keep it from being taken until this transaction ends.

    Raises:
        LeaseError: if it was given back or another has taken it.
    """
    row = connection.execute(select(lease).where(lease.c.shard == held.shard).with_for_update()).one_or_none()
    if row is None or (row.holder, row.token) != (held.holder, held.token):
        now = f"{row.holder!r} with token {row.token}" if row is not None and row.holder else "nobody"
        message = (
            f"{held.holder!r} lost the shard {held.shard!r} (token {held.token}); it is held by {now}. "
            "Stop writing, acquire the lease anew and load the state again."
        )
        raise LeaseError(message)


def _write(connection: Connection, granted: Lease) -> None:
    query = update(lease).where(lease.c.shard == granted.shard)
    connection.execute(query.values(holder=granted.holder, token=granted.token, expires_ms=granted.expires_ms))


def _expiry(ttl_s: float, now_ms: int) -> int:
    if ttl_s <= 0:
        message = f"A lease needs a time to live above 0 s, was {ttl_s!r}."
        raise StoreError(message)
    return now_ms + round(ttl_s * MILLISECONDS_PER_S)
