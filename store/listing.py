"""Lists of warnings: filters and pages that stay right while new warnings come in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, Table, select, tuple_

from contracts import DataError, Level, Status

from .bulk import one_of

PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFilter:
    """Which episodes or incidents to list; None lets all pass.

    Attributes:
        place_ids: at one of these places.
        levels: on one of these levels now.
        statuses: with one of these statuses now.
        since_ms: opened at this time or later, UTC.
        until_ms: opened before this time, UTC.
        limit: length of a page, 1 to 1000.
        after: id of the last one of the page before; None for the first page.

    Raises:
        DataError: if the limit is out of range.
    """

    place_ids: Collection[str] | None = None
    levels: Collection[Level] | None = None
    statuses: Collection[Status] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = 100
    after: str | None = None

    def __post_init__(self) -> None:
        """Check the limit."""
        if not 1 <= self.limit <= PAGE_LIMIT:
            message = f"The limit of a page must be from 1 to {PAGE_LIMIT}, was {self.limit!r}."
            raise DataError(message)


def find_documents(connection: Connection, table: Table, wanted: EpisodeFilter) -> list[tuple[str, str]]:
    """Return (id, document) of what the filter lets pass, newest opening first.

    Raises:
        DataError: if ``after`` names nothing that there is.
    """
    key = tuple_(table.c.opened_ms, table.c.id)
    query = select(table.c.id, table.c.document).order_by(table.c.opened_ms.desc(), table.c.id.desc())
    if wanted.place_ids is not None:
        query = query.where(one_of(connection, table.c.place, wanted.place_ids))
    if wanted.levels is not None:
        query = query.where(one_of(connection, table.c.level, [level.rank for level in wanted.levels]))
    if wanted.statuses is not None:
        query = query.where(one_of(connection, table.c.status, [status.value for status in wanted.statuses]))
    if wanted.since_ms is not None:
        query = query.where(table.c.opened_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        query = query.where(table.c.opened_ms < wanted.until_ms)
    if wanted.after is not None:
        query = query.where(key < tuple_(_opened_ms(connection, table, wanted.after), wanted.after))
    return [(row.id, row.document) for row in connection.execute(query.limit(wanted.limit))]


def _opened_ms(connection: Connection, table: Table, key: str) -> int:
    opened_ms = connection.scalar(select(table.c.opened_ms).where(table.c.id == key))
    if opened_ms is None:
        message = f"No {table.name} {key!r} to go on after. Give the id of the last one of the page before."
        raise DataError(message)
    return int(opened_ms)
