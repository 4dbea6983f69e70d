"""The schema's history: a new store is made, an older one brought up, a newer one refused."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, inspect, select, table, text

from contracts import SchemaError, StoreError

from .database import Database

VERSION_TABLE = "cityforge_schema"
_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x63697479  # one advisory lock for all who open the same PostgreSQL database


def prepare_schema(database: Database, *, create: bool) -> None:
    """Bring the database to this program's schema; safe when many processes open it at once.

    Raises:
        SchemaError: if its schema is newer than this program, which must not write it.
        StoreError: if there is no store and none is to be created, or it cannot be read or written.
    """
    if not create:
        _check_file(database)
    scripts = ScriptDirectory(str(_SCRIPTS))
    if database.is_sqlite:
        database.enable_wal()
    with database.read() as connection:
        if _is_current(connection, scripts, database.name):
            return
    with database.write() as connection:
        _upgrade(connection, scripts, database, create=create)


def _check_file(database: Database) -> None:
    if database.file is not None and not database.file.is_file():
        _raise_absent(database)


def _raise_absent(database: Database) -> None:
    message = f"There is no store at {database.name!r}. Make one with `cityforge init`, or correct the URL."
    raise StoreError(message)


def _upgrade(connection: Connection, scripts: ScriptDirectory, database: Database, *, create: bool) -> None:
    if not database.is_sqlite:  # SQLite's write transaction is already alone
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if _is_current(connection, scripts, database.name):
        return
    if not create and _version(connection) is None:
        _raise_absent(database)
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_current(connection: Connection, scripts: ScriptDirectory, name: str) -> bool:
    version = _version(connection)
    known = {script.revision for script in scripts.walk_revisions()}
    if version is not None and version not in known:
        message = (
            f"The store {name!r} has the schema {version!r}, newer than this program knows "
            f"(up to {scripts.get_current_head()!r}). Upgrade cityforge, or open another store."
        )
        raise SchemaError(message)
    return version == scripts.get_current_head()


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
