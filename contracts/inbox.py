"""Inbox and outbox: what reaches the warning engine, in order, and what it tells the world.

Plain data: the engine takes it from a store when live and from a list in a backtest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .readings import Quality


class InboxKind(StrEnum):
    """What an inbox item is."""

    READING = "reading"
    TICK = "tick"
    """The clock has reached ``time_ms``: silence is noticed by it."""
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One item of the ordered log that the warning engine reads.

    Attributes:
        sequence: its position, from 1, strictly increasing in the order of commits.
        kind: reading, tick or verdict.
        time_ms: event time, UTC; for a tick the clock, for a verdict the time of the answer.
        received_ms: when it was received, UTC.
        sign: id of the sign; None but for readings.
        value: in the sign's unit; None where missing, and but for readings.
        quality: what the source says of the value; None but for readings.
        revision: 1 for the first value of a sign and time, 2 for the value that replaces it, and so on;
            0 but for readings.
        payload: the verdict as JSON (:class:`~contracts.Verdict`); None but for verdicts.
    """

    sequence: int
    kind: InboxKind
    time_ms: int
    received_ms: int
    sign: str | None = None
    value: float | None = None
    quality: Quality | None = None
    revision: int = 0
    payload: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message that must leave, written together with what it tells of, sent at least once.

    Attributes:
        id: the same in every replay; a receiver drops an id it has seen.
        kind: such as ``episode.opened``.
        time_ms: event time of what it tells of, UTC.
        payload: JSON.
    """

    id: str
    kind: str
    time_ms: int
    payload: dict[str, Any]
