"""Counters that serialise writers: whoever holds one is alone until the transaction ends.

A database's own sequences are handed out before the commit, so that a later number may become
visible first, and a reader that goes by numbers would skip the earlier one. These cannot.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from .schema import counter


def lock(connection: Connection, name: str) -> int:
    """Return the last number given out, and hold back every other writer until this transaction ends."""
    query = select(counter.c.value).where(counter.c.name == name).with_for_update()
    return int(connection.execute(query).scalar_one())


def peek(connection: Connection, name: str) -> int:
    """Return the last number that was committed."""
    return int(connection.execute(select(counter.c.value).where(counter.c.name == name)).scalar_one())


def peek_all(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """Return the last numbers that were committed, by name."""
    query = select(counter.c.name, counter.c.value).where(counter.c.name.in_(names))
    return {name: int(value) for name, value in connection.execute(query)}


def advance(connection: Connection, name: str, value: int) -> None:
    """Set the last number given out; the counter must be locked."""
    connection.execute(update(counter).where(counter.c.name == name).values(value=value))
