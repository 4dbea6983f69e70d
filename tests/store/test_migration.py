"""The schema's history: made once, brought up, never taken down, and true to the tables in use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from contracts import SchemaError
from store import Store
from store.migration import VERSION_TABLE
from store.schema import metadata


def test_what_the_migrations_make_is_what_the_program_uses(store: Store) -> None:
    with store._database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []


def test_the_mark_stands_in_a_table_of_our_own(store: Store) -> None:
    """A database may be shared with others who use Alembic."""
    with store._database.read() as connection:
        assert VERSION_TABLE in inspect(connection).get_table_names()
        assert "alembic_version" not in inspect(connection).get_table_names()


def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    with Store.open(url) as store, store._database.write() as connection:
        connection.execute(text("UPDATE cityforge_schema SET version_num = '9999'"))
    with pytest.raises(SchemaError, match=r"has the schema '9999', newer than this program knows.*Upgrade cityforge"):
        Store.open(url)
    with pytest.raises(SchemaError, match="9999"):
        Store.open(url, create=False)


def test_history_has_one_line_and_no_way_down() -> None:
    scripts = ScriptDirectory(str(Path("store/migrations").resolve()))
    assert len(scripts.get_heads()) == 1
    for script in scripts.walk_revisions():
        with pytest.raises(NotImplementedError, match="Restore a backup"):
            script.module.downgrade()


def test_many_processes_may_open_a_new_store_at_once(url: str) -> None:
    program = "import sys; from store import Store; Store.open(sys.argv[1]).inbox.append_tick(1)"
    command = [sys.executable, "-c", program, url]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    errors = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0] * 5, errors
    with Store.open(url, create=False) as store:
        assert [item.sequence for item in store.inbox.read(0, 10)] == [1, 2, 3, 4, 5]
