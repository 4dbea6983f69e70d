"""Status: what the runtime tells of itself, so that its death is seen from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts import UtcTime, from_ms
from store import Store

STATUS_KEY = "runtime"
"""Where it stands in the runtime's state."""


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """Where the runtime of a shard stands.

    Attributes:
        shard: the shard.
        holder: the name on its lease.
        offset: sequence of the last inbox item that is dealt with.
        last_sequence: sequence of the last inbox item.
        decided_at: event time of the last instant decided; None before the first.
        updated_at: when it last wrote; it does so at every lease renewal, so an old time means that it is dead.
        refused_rules: why promoted rules are not in force; None where they are.
    """

    shard: str
    holder: str
    offset: int
    last_sequence: int
    decided_at: UtcTime | None
    updated_at: UtcTime
    refused_rules: str | None = None

    @property
    def lag(self) -> int:
        """Inbox items that wait."""
        return self.last_sequence - self.offset


def runtime_status(store: Store, shard: str = "main") -> RuntimeStatus | None:
    """Return where the runtime of a shard stands; None if it never started."""
    told = store.runtime.value(shard, STATUS_KEY)
    if told is None:
        return None
    decided_ms = told["decided_ms"]
    return RuntimeStatus(
        shard=shard,
        holder=told["holder"],
        offset=store.runtime.offset(shard),
        last_sequence=store.inbox.last_sequence(),
        decided_at=None if decided_ms is None else from_ms(decided_ms),
        updated_at=from_ms(told["updated_ms"]),
        refused_rules=told.get("refused_rules"),
    )


def status_entry(holder: str, decided_ms: int | None, now_ms: int, refused_rules: str | None = None) -> dict[str, Any]:
    """Return what the runtime writes of itself."""
    told = {"holder": holder, "decided_ms": decided_ms, "updated_ms": now_ms}
    return told if refused_rules is None else told | {"refused_rules": refused_rules}
