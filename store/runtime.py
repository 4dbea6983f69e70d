"""What the runtime must not lose: how far it read, what it remembers, and what it decided, all in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, select

from contracts import Episode, Incident, OutboxMessage, StoreError

from . import counters
from .bulk import one_of, upsert
from .database import Database
from .documents import decode, encode
from .episodes import episode_rows, write_episodes
from .inbox import COUNTER
from .incidents import incident_rows, write_incidents
from .leases import Lease, check_lease
from .outbox import outbox_rows, write_messages
from .schema import runtime_offset, runtime_state


@dataclass(frozen=True, slots=True)
class RuntimeState:
    """Where the runtime of a shard stands.

    Attributes:
        offset: sequence number of the last inbox item that is dealt with; 0 at the beginning.
        state: what it remembers, JSON by key.
    """

    offset: int = 0
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuntimeCommit:
    """One step of the runtime.

    Attributes:
        offset: sequence number of the last inbox item that is dealt with from then on.
        state: keys that changed, with their new JSON; None deletes a key, others stay as they are.
        episodes: episodes that are new or changed.
        incidents: incidents that are new or changed.
        outbox: messages to send; an id that was written before is not written again.
    """

    offset: int
    state: Mapping[str, Any] = field(default_factory=dict)
    episodes: Sequence[Episode] = ()
    incidents: Sequence[Incident] = ()
    outbox: Sequence[OutboxMessage] = ()


class Runtime:
    """The runtime's state by shard."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, shard: str) -> RuntimeState:
        """Return where the shard's runtime stands; offset 0 and no state if it never committed."""
        with self._database.read() as connection:
            return RuntimeState(_offset(connection, shard), _state(connection, shard))

    def value(self, shard: str, key: str) -> Any:
        """Return what the shard's runtime remembers under one key; None where there is nothing."""
        query = select(runtime_state.c.document).where(runtime_state.c.shard == shard, runtime_state.c.key == key)
        with self._database.read() as connection:
            document = connection.scalar(query)
        return None if document is None else decode(document, f"The state {key!r}")

    def offset(self, shard: str) -> int:
        """Return the sequence number of the last inbox item that the shard has dealt with; 0 at the beginning."""
        with self._database.read() as connection:
            return _offset(connection, shard)

    def shards(self) -> list[str]:
        """Return every shard whose runtime has committed."""
        with self._database.read() as connection:
            return list(connection.scalars(select(runtime_offset.c.shard).order_by(runtime_offset.c.shard)))

    def commit(self, held: Lease, step: RuntimeCommit) -> None:
        """Write one step whole, or nothing of it.

        Args:
            held: the lease of the shard; a token that is no longer the latest writes nothing.
            step: what to write.

        Raises:
            LeaseError: if the lease was lost.
            StoreError: if the offset goes back or beyond the inbox, if the state is no JSON, or if
                it cannot be written.
        """
        kept = [
            {"shard": held.shard, "key": key, "document": encode(value, f"The state {key!r}")}
            for key, value in step.state.items()
            if value is not None
        ]
        dropped = [key for key, value in step.state.items() if value is None]
        episodes, incidents = episode_rows(step.episodes), incident_rows(step.incidents)
        messages = outbox_rows(step.outbox)
        with self._database.write() as connection:
            check_lease(connection, held)
            _check_offset(connection, held.shard, step.offset)
            upsert(connection, runtime_offset, [{"shard": held.shard, "value": step.offset}], "shard")
            upsert(connection, runtime_state, kept, ("shard", "key"))
            if dropped:
                gone = (runtime_state.c.shard == held.shard) & one_of(connection, runtime_state.c.key, dropped)
                connection.execute(delete(runtime_state).where(gone))
            write_episodes(connection, episodes)
            write_incidents(connection, incidents)
            write_messages(connection, messages)


def _offset(connection: Connection, shard: str) -> int:
    query = select(runtime_offset.c.value).where(runtime_offset.c.shard == shard)
    return int(connection.scalar(query) or 0)


def _state(connection: Connection, shard: str) -> dict[str, Any]:
    query = select(runtime_state.c.key, runtime_state.c.document).where(runtime_state.c.shard == shard)
    rows = connection.execute(query.order_by(runtime_state.c.key))
    return {key: decode(document, f"The state {key!r}") for key, document in rows}


def _check_offset(connection: Connection, shard: str, offset: int) -> None:
    before, last = _offset(connection, shard), counters.peek(connection, COUNTER)
    if not before <= offset <= last:
        message = (
            f"The offset of the shard {shard!r} cannot become {offset}: it stands at {before}, and the inbox "
            f"ends at {last}. Load the state again and go on from there."
        )
        raise StoreError(message)
