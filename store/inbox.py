"""The inbox: everything that may change a warning, in one order, never lost once answered.

Readings, clock ticks and verdicts get a sequence number under a lock that is held until the commit:
a reader that has seen number n has seen, or will yet see, every number above it, and none below it
appears later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select

from contracts import DataError, InboxItem, InboxKind, Reading, Verdict, to_ms

from . import counters
from .bulk import insert_rows, integer_pairs
from .database import Database
from .documents import decode, encode_model
from .quality import CODES, QUALITIES
from .schema import episode, inbox, reading, verdict
from .signs import Signs

COUNTER = "inbox"
_Key = tuple[int, int]
_Told = tuple[float | None, int]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of readings.

    Attributes:
        accepted: kept as new, first values and revisions together.
        duplicates: known already, and left alone; with ``accepted`` they make all that was given.
        revisions: those of the accepted whose sign and time had another value before.
        last_sequence: the inbox's last sequence number from then on.
    """

    accepted: int
    duplicates: int
    revisions: int
    last_sequence: int


class _New(NamedTuple):
    """A reading that was not told before; its rows have their tables' order of columns."""

    sign: int
    time_ms: int
    revision: int
    value: float | None
    quality: int

    def archived(self, sequence: int, received_ms: int) -> tuple[Any, ...]:
        return (*self, sequence, received_ms)

    def logged(self, sequence: int, received_ms: int) -> tuple[Any, ...]:
        sign, time_ms, revision, value, quality = self
        return (sequence, InboxKind.READING.value, time_ms, received_ms, sign, revision, value, quality, None)


class Inbox:
    """The ordered log that the runtime reads."""

    def __init__(self, database: Database, signs: Signs) -> None:
        self._database = database
        self._signs = signs

    def append(self, readings: Iterable[Reading], received_ms: int) -> IngestReport:
        """Archive readings and put them into the inbox, all or none of them.

        A value and quality that was told before for the same sign and time is a duplicate, so that a
        batch may be sent again without harm; another value or quality is a revision.

        Args:
            readings: in the order of their arrival.
            received_ms: when they arrived, UTC.

        Raises:
            UnknownSignError: if a sign is not in the store; nothing is kept then.
            StoreError: if they cannot be written; nothing is kept then.
        """
        given = list(readings)
        if not given:
            return IngestReport(0, 0, 0, self.last_sequence())
        with self._database.write() as connection:
            last = counters.lock(connection, COUNTER)
            new = self._new(connection, given)
            insert_rows(connection, reading, [item.archived(last + i, received_ms) for i, item in enumerate(new, 1)])
            insert_rows(connection, inbox, [item.logged(last + i, received_ms) for i, item in enumerate(new, 1)])
            counters.advance(connection, COUNTER, last + len(new))
        revisions = sum(item.revision > 1 for item in new)
        return IngestReport(len(new), len(given) - len(new), revisions, last + len(new))

    def append_tick(self, time_ms: int) -> int:
        """Log that the clock has reached a time; return its sequence number."""
        with self._database.write() as connection:
            return _append_other(connection, InboxKind.TICK, time_ms)

    def append_verdict(self, given: Verdict) -> int:
        """Log an operator's answer and keep it; return its sequence number.

        The same answer of the same operator at the same time is kept once.

        Raises:
            DataError: if there is no such episode.
        """
        document = encode_model(given, "The verdict")
        with self._database.write() as connection:
            if connection.scalar(select(episode.c.id).where(episode.c.id == given.episode)) is None:
                message = f"There is no episode {given.episode!r} to answer. Take its id from the list of warnings."
                raise DataError(message)
            counters.lock(connection, COUNTER)
            same = select(verdict.c.sequence).where(verdict.c.episode == given.episode, verdict.c.document == document)
            known = connection.scalar(same)
            if known is not None:
                return int(known)
            sequence = _append_other(connection, InboxKind.VERDICT, to_ms(given.time), document)
            row = {"sequence": sequence, "episode": given.episode, "document": document}
            connection.execute(insert(verdict).values(row))
            return sequence

    def read(self, after: int, limit: int) -> list[InboxItem]:
        """Return the next items after a sequence number, at most ``limit``, in order."""
        query = select(inbox).where(inbox.c.sequence > after).order_by(inbox.c.sequence).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            ids = self._signs.ids(connection, {row.sign for row in rows if row.sign is not None})
        return [_item(row, ids) for row in rows]

    def last_sequence(self) -> int:
        """Return the last sequence number; 0 for an empty inbox."""
        with self._database.read() as connection:
            return counters.peek(connection, COUNTER)

    def _new(self, connection: Connection, given: Sequence[Reading]) -> list[_New]:
        numbers = self._signs.numbers(connection, {item.sign for item in given})
        keys = [(numbers[item.sign], to_ms(item.time)) for item in given]
        told = _told(connection, keys)
        new: list[_New] = []
        for key, item in zip(keys, given, strict=True):
            said = (item.value, CODES[item.quality])
            before = told[key]
            if said not in before:
                before.append(said)
                new.append(_New(*key, len(before), *said))
        return new


def _told(connection: Connection, keys: Sequence[_Key]) -> dict[_Key, list[_Told]]:
    """Return what was said before for each sign and time, oldest revision first."""
    pairs = integer_pairs(connection, sorted(set(keys)))
    query = (
        select(reading.c.sign, reading.c.time_ms, reading.c.value, reading.c.quality)
        .select_from(pairs)
        .join(reading, (reading.c.sign == pairs.c.first) & (reading.c.time_ms == pairs.c.second))
        .order_by(reading.c.sign, reading.c.time_ms, reading.c.revision)
    )
    told: defaultdict[_Key, list[_Told]] = defaultdict(list)
    for number, time_ms, value, quality in connection.execute(query):
        told[number, time_ms].append((value, quality))
    return told


def _append_other(connection: Connection, kind: InboxKind, time_ms: int, payload: str | None = None) -> int:
    sequence = counters.lock(connection, COUNTER) + 1
    row = {"kind": kind.value, "time_ms": time_ms, "received_ms": time_ms, "revision": 0, "payload": payload}
    connection.execute(insert(inbox).values(sequence=sequence, **row))
    counters.advance(connection, COUNTER, sequence)
    return sequence


def _item(row: Row[Any], ids: dict[int, str]) -> InboxItem:
    return InboxItem(
        sequence=row.sequence,
        kind=InboxKind(row.kind),
        time_ms=row.time_ms,
        received_ms=row.received_ms,
        sign=None if row.sign is None else ids[row.sign],
        value=row.value,
        quality=None if row.quality is None else QUALITIES[row.quality],
        revision=row.revision,
        payload=None if row.payload is None else decode(row.payload, f"Inbox item {row.sequence}"),
    )
