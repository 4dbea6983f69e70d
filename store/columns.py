"""Readings of many signs as columns of numbers, quickly.

A window of a whole district is more than a million readings: as one sorted list of rows, most of the
time goes into sorting and into the rows. The archive holds each sign's readings side by side in the
order of time, so SQLite, which is in the process, is asked sign by sign; PostgreSQL, which is not, is
asked once and answers with an array for each sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from contracts import Quality

from .bulk import integer_pairs
from .quality import CODES
from .schema import reading

_USABLE = case((reading.c.quality == CODES[Quality.BAD], None), else_=reading.c.value)


class Column(NamedTuple):
    """The latest revisions of one sign's readings.

    Attributes:
        sign: the sign's number.
        times_ms: event times, increasing, shape ``(time,)``.
        values: NaN where the latest revision is bad or has no value, shape ``(time,)``.
    """

    sign: int
    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]


def read_columns(
    connection: Connection, starts: Sequence[tuple[int, int]], end_ms: int, as_of: int | None
) -> Iterator[Column]:
    """Yield a column for each sign that has readings after its own start up to ``end_ms``.

    Args:
        connection: where to read.
        starts: number and start in milliseconds of each sign; the start itself is left out.
        end_ms: the last event time.
        as_of: inbox sequence number; later revisions are not seen. None for all.
    """
    within = reading.c.time_ms <= end_ms
    if as_of is not None:
        within &= reading.c.sequence <= as_of
    if connection.dialect.name == "sqlite":
        yield from _one_by_one(connection, starts, within)
    else:
        yield from _all_at_once(connection, starts, within)


def _one_by_one(
    connection: Connection, starts: Sequence[tuple[int, int]], within: ColumnElement[bool]
) -> Iterator[Column]:
    query = (
        select(reading.c.time_ms, _USABLE)
        .where(reading.c.sign == bindparam("number"), reading.c.time_ms > bindparam("start_ms"), within)
        .order_by(reading.c.time_ms, reading.c.revision)
    )
    for number, start_ms in starts:
        rows = connection.execute(query, {"number": number, "start_ms": start_ms}).all()
        if rows:
            yield _latest(number, *zip(*rows, strict=True))


def _all_at_once(
    connection: Connection, starts: Sequence[tuple[int, int]], within: ColumnElement[bool]
) -> Iterator[Column]:
    pairs = integer_pairs(connection, starts)
    times, values = (
        func.array_agg(aggregate_order_by(column, reading.c.time_ms, reading.c.revision))
        for column in (reading.c.time_ms, _USABLE)
    )
    query = (
        select(reading.c.sign, times, values)
        .select_from(pairs)
        .join(reading, (reading.c.sign == pairs.c.first) & (reading.c.time_ms > pairs.c.second))
        .where(within)
        .group_by(reading.c.sign)
    )
    for row in connection.execute(query):
        yield _latest(*row)


def _latest(number: int, times: Sequence[int], values: Sequence[Any]) -> Column:
    """Keep the last of several revisions of one time."""
    times_ms, usable = np.array(times, np.int64), np.array(values, np.float64)  # None becomes NaN
    last = np.append(times_ms[1:] != times_ms[:-1], [True])
    return Column(number, times_ms[last], usable[last])
