"""The archive of readings: every value that was ever told, and the windows that models are asked with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, func, select

from contracts import Quality

from .bulk import one_of
from .columns import read_columns
from .database import Database
from .quality import QUALITIES
from .schema import reading, sign
from .signs import Signs


class Series(NamedTuple):
    """The readings of one sign over time.

    Attributes:
        times_ms: event times, increasing, shape ``(time,)``.
        values: in the sign's unit, NaN where missing or bad, shape ``(time,)``.
    """

    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReadingRevision:
    """One value that was told for one sign and time.

    Attributes:
        sign: id of the sign.
        time_ms: event time, UTC.
        revision: 1 for the first value told.
        value: in the sign's unit; None where the source had none.
        quality: what the source said of it.
        sequence: its place in the inbox.
        received_ms: when it was received, UTC.
    """

    sign: str
    time_ms: int
    revision: int
    value: float | None
    quality: Quality
    sequence: int
    received_ms: int


class Readings:
    """Readings by sign and event time."""

    def __init__(self, database: Database, signs: Signs) -> None:
        self._database = database
        self._signs = signs

    def window(
        self, signs: Collection[str], end_ms: int, count: int, as_of: int | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Return the last steps of each sign on the regular grid of its interval.

        The last step is at ``end_ms``. A step at time t holds the last usable reading of the interval
        that ends with it, (t - interval, t]: a source whose clock is a little off keeps its values, and
        nothing from after t is ever seen. Of several revisions the latest counts, and if that one is
        bad or has no value, its time counts as missing.

        Args:
            signs: ids of signs, of any intervals.
            end_ms: event time of the last step, UTC.
            count: number of steps.
            as_of: inbox sequence number; revisions that came after it are not seen. None for all.

        Returns:
            Sign → values, shape ``(count,)``, NaN where missing.

        Raises:
            UnknownSignError: if a sign is not in the store.
        """
        listed = list(dict.fromkeys(signs))
        with self._database.read() as connection:
            numbers = self._signs.numbers(connection, listed)
            intervals = self._signs.intervals_ms(connection, listed)
            starts = [(numbers[key], end_ms - count * intervals[key]) for key in listed]
            table = np.full((len(listed), count), np.nan, dtype=np.float32)
            position = {numbers[key]: i for i, key in enumerate(listed)}
            for number, times_ms, values in read_columns(connection, starts, end_ms, as_of):
                row = position[number]
                steps = count - 1 - (end_ms - times_ms) // intervals[listed[row]]
                usable = ~np.isnan(values)
                table[row, steps[usable]] = values[usable]  # of one step the last assigned, so the latest, stays
        return {key: table[i] for i, key in enumerate(listed)}

    def series(self, sign_id: str, start_ms: int, end_ms: int, as_of: int | None = None) -> Series:
        """Return one sign's readings with times from ``start_ms`` to ``end_ms``, both included.

        Raises:
            UnknownSignError: if the sign is not in the store.
        """
        with self._database.read() as connection:
            number = self._signs.numbers(connection, [sign_id])[sign_id]
            for column in read_columns(connection, [(number, start_ms - 1)], end_ms, as_of):
                return Series(column.times_ms, column.values)
        return Series(np.empty(0, np.int64), np.empty(0, np.float64))

    def latest(self, signs: Collection[str]) -> dict[str, int]:
        """Return the newest event time of each sign in milliseconds UTC; a sign without readings is left out.

        Raises:
            UnknownSignError: if a sign is not in the store.
        """
        with self._database.read() as connection:
            numbers = self._signs.numbers(connection, signs)
            newest = (
                select(func.max(reading.c.time_ms))
                .where(reading.c.sign == sign.c.number)
                .correlate(sign)
                .scalar_subquery()
            )
            query = select(sign.c.id, newest.label("time_ms")).where(
                one_of(connection, sign.c.number, numbers.values())
            )
            return {row.id: row.time_ms for row in connection.execute(query) if row.time_ms is not None}

    def revisions(self, sign_id: str, start_ms: int, end_ms: int) -> list[ReadingRevision]:
        """Return every value told with times from ``start_ms`` to ``end_ms``, both included, by time and revision.

        Raises:
            UnknownSignError: if the sign is not in the store.
        """
        with self._database.read() as connection:
            number = self._signs.numbers(connection, [sign_id])[sign_id]
            query = (
                select(reading)
                .where(reading.c.sign == number, reading.c.time_ms.between(start_ms, end_ms))
                .order_by(reading.c.time_ms, reading.c.revision)
            )
            rows = connection.execute(query).all()
        return [_revision(sign_id, row) for row in rows]


def _revision(sign_id: str, row: Row[Any]) -> ReadingRevision:
    return ReadingRevision(
        sign=sign_id,
        time_ms=row.time_ms,
        revision=row.revision,
        value=row.value,
        quality=QUALITIES[row.quality],
        sequence=row.sequence,
        received_ms=row.received_ms,
    )
