"""Many values in one statement: the few places where SQLite and PostgreSQL are spoken to differently.

A list goes as one bound parameter (JSON for SQLite, an array for PostgreSQL), so that its length
neither meets a limit on parameters nor makes a new statement to parse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    String,
    Table,
    Text,
    cast,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert many rows, each a value for every column in the table's order, as fast as the database takes them."""
    if not rows:
        return
    if _is_sqlite(connection):  # straight to the driver: naming each parameter would cost as much as the insert
        statement = insert(table).compile(dialect=connection.dialect)
        connection.exec_driver_sql(str(statement), list(rows))
        return
    columns = zip(table.c, zip(*rows, strict=True), strict=True)
    arrays = [cast(list(values), ARRAY(column.type)) for column, values in columns]
    given = func.unnest(*arrays).table_valued(*table.c.keys(), name="given").render_derived()
    connection.execute(insert(table).from_select(table.c.keys(), select(*given.c)))


def upsert(connection: Connection, table: Table, rows: Iterable[Row], key: str | tuple[str, ...]) -> None:
    """Insert rows; where the key is there already, replace the other columns that they give.

    Rows are written in the order of their keys, so that two writers cannot lock each other out.
    """
    keys = (key,) if isinstance(key, str) else key
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in keys))
    if not ordered:
        return
    statement = _insert(connection, table)
    changed = {name: statement.excluded[name] for name in ordered[0] if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
    connection.execute(statement, [dict(row) for row in ordered])


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row], key: str) -> None:
    """Insert rows, leaving alone those whose key is there already."""
    if rows:
        statement = _insert(connection, table).on_conflict_do_nothing(index_elements=[key])
        connection.execute(statement, [dict(row) for row in rows])


def one_of(connection: Connection, column: ColumnElement[Any], values: Iterable[str | int]) -> ColumnElement[bool]:
    """Return the condition that a column equals one of the values, however many there are."""
    listed = list(values)
    if _is_sqlite(connection):
        items = func.json_each(json.dumps(listed)).table_valued("value")
        return column.in_(select(items.c.value))
    kind = BigInteger() if listed and isinstance(listed[0], int) else Text()
    return column == func.any(cast(listed, ARRAY(kind)))


def integer_pairs(connection: Connection, pairs: Sequence[tuple[int, int]]) -> FromClause:
    """Return pairs of integers as a table with the columns ``first`` and ``second``."""
    if _is_sqlite(connection):
        items = func.json_each(json.dumps(pairs)).table_valued("value")
        columns = [func.json_extract(items.c.value, literal(path, String)) for path in ("$[0]", "$[1]")]
        return select(columns[0].label("first"), columns[1].label("second")).subquery("pairs")
    firsts, seconds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    arrays = cast(firsts, ARRAY(BigInteger)), cast(seconds, ARRAY(BigInteger))
    return func.unnest(*arrays).table_valued("first", "second", name="pairs").render_derived()


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if _is_sqlite(connection) else postgresql.insert(table)
