"""The schema's history: made once, brought up, never taken down, and true to the tables in use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from contracts import SchemaError, StoreError
from store import RuntimeCommit, Store, migration
from store.migration import VERSION_TABLE
from store.schema import metadata

from .examples import make_reading


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


LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "later", "{before}"


def upgrade() -> None:
    op.add_column("sign", sa.Column("colour", sa.String(16), nullable=False, server_default="grey"))
    op.execute("UPDATE sign SET colour = 'blue'")
    {failure}
"""


def _add_revision(folder: Path, monkeypatch: pytest.MonkeyPatch, failure: str = "") -> None:
    """Let this program be a later one, whose history goes one step on."""
    scripts = folder / "migrations"
    shutil.copytree(Path(migration.__file__).parent / "migrations", scripts)
    before = ScriptDirectory(str(scripts)).get_current_head()
    (scripts / "versions" / "later.py").write_text(LATER.format(before=before, failure=failure))
    monkeypatch.setattr(migration, "_SCRIPTS", scripts)


@pytest.mark.parametrize("create", [True, False])
def test_an_older_schema_is_brought_up_with_all_that_is_in_it(
    store: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, create: bool
) -> None:
    store.inbox.append([make_reading(1.5)], 1)
    store.close()
    _add_revision(tmp_path, monkeypatch)
    with Store.open(url, create=create) as later:
        assert [item.value for item in later.inbox.read(0, 10)] == [1.5]
        with later._database.read() as connection:
            assert set(connection.scalars(text("SELECT colour FROM sign"))) == {"blue"}
            assert connection.scalar(text("SELECT version_num FROM cityforge_schema")) == "later"
    monkeypatch.undo()
    with pytest.raises(SchemaError, match="has the schema 'later', newer than this program knows"):
        Store.open(url)


def test_a_step_that_fails_leaves_the_store_as_it_was(
    store: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.inbox.append([make_reading(1.5)], 1)
    _add_revision(tmp_path, monkeypatch, failure="op.execute('SELECT * FROM no_such_table')")
    with pytest.raises(StoreError, match="no_such_table"):
        Store.open(url)
    monkeypatch.undo()
    with Store.open(url, create=False) as again:
        assert [item.value for item in again.inbox.read(0, 10)] == [1.5]
        with again._database.read() as connection:
            assert "colour" not in {column["name"] for column in inspect(connection).get_columns("sign")}


def test_what_the_engine_remembered_under_one_key_is_carried_over_to_two(store: Store, url: str) -> None:
    judged = {
        "pending": [[7, "rows", True]],
        "scores": "s",
        "judged": [1, 2, 3],
        "sums": [0.5, 2.0],
        "past_sums": ["a"],
    }
    old = judged | {"history": {"from": 9}, "late": [[4, 1.5]], "times": [10, 20, None, 30]}
    held = store.leases.acquire("main", "runtime", 60, 0)
    state = {"sign/a/b%": old, "signs": {"kept": 1}, "clock": {"ms": 5}}
    store.runtime.commit(held, RuntimeCommit(offset=0, state=state))
    with store._database.write() as connection:
        connection.execute(text("UPDATE cityforge_schema SET version_num = '0001'"))
    store.close()
    with Store.open(url) as later:
        assert later.runtime.load("main").state == {
            "clock": {"ms": 5},
            "signs": {"kept": 1},
            "heard/a/b%": {"history": {"from": 9}, "late": [[4, 1.5]], "heard_ms": 10},
            "judged/a/b%": judged | {"times": [20, None, 30]},
        }


def test_history_has_one_line_and_no_way_down() -> None:
    scripts = ScriptDirectory(str(Path(migration.__file__).parent / "migrations"))
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
