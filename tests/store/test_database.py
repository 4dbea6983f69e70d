"""Opening, and every way in which a disk or a server can say no."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from contracts import StoreError
from store import Store

from .examples import PLACES, SIGNS, make_reading


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("nonsense", "URL cannot be read. Use 'sqlite:///path/store.db'"),
        ("mysql://host/name", "must begin with one of sqlite, postgresql\\+psycopg"),
        ("sqlite://", "names no file, and memory is no store"),
        ("sqlite:///:memory:", "names no file, and memory is no store"),
        ("sqlite:////no/such/folder/store.db", r"The folder '/no/such/folder' of the store does not exist. Create it"),
    ],
)
def test_a_url_that_is_no_store_is_explained(url: str, complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint):
        Store.open(url)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(StoreError, match="Check that the database server runs") as caught:
        Store.open("postgresql+psycopg://someone:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_what_is_not_to_be_created_must_be_there(url: str) -> None:
    with pytest.raises(StoreError, match=r"There is no store at .*cityforge init"):
        Store.open(url, create=False)
    Store.open(url).close()
    Store.open(url, create=False).close()


def test_opening_without_creating_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store"):
        Store.open(f"sqlite:///{tmp_path / 'store.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    file.write_bytes(b"no database at all, but long enough to look like one" * 100)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"not a database.*Restore it from a backup"):
        Store.open(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_damaged_file_is_noticed_when_it_is_read(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        store.places.put(PLACES)
        store.signs.put(SIGNS)
        store.inbox.append([make_reading(float(i), hours=i) for i in range(2000)], 1)
        with store._database.read() as connection:
            query = text("SELECT rootpage FROM sqlite_master WHERE name = 'inbox'")
            page = connection.execute(query).scalar_one()
    file = tmp_path / "store.db"
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    file.write_bytes(content)
    with Store.open(sqlite_url) as store, pytest.raises(StoreError, match=r"malformed.*Restore it from a backup"):
        store.inbox.read(0, 10_000)


def test_a_full_disk_refuses_and_loses_nothing(sqlite_url: str) -> None:
    """A real refusal of SQLite's: its file may grow no further."""
    with Store.open(sqlite_url) as store:
        store.places.put(PLACES)
        store.signs.put(SIGNS)
        kept = store.inbox.append([make_reading(1.0)], 1)
        with store._database.write() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(StoreError, match=r"disk is full.*nothing that was answered is lost"):
            store.inbox.append([make_reading(float(i), hours=i + 1) for i in range(5000)], 2)
        assert store.inbox.last_sequence() == kept.last_sequence
        assert len(store.inbox.read(0, 10)) == 1


def test_a_read_only_disk_is_explained(sqlite_url: str, tmp_path: Path) -> None:
    """As a user who may only read; root may write whatever the permissions say."""
    Store.open(sqlite_url).close()
    for path in tmp_path.iterdir():
        path.chmod(0o444)
    tmp_path.chmod(0o555)
    program = f"""
        from contracts import StoreError
        from store import Store
        for url in ({sqlite_url!r}, {sqlite_url.replace("store.db", "new.db")!r}):
            try:
                Store.open(url).inbox.append_tick(1)
            except StoreError as error:
                print(error)
    """
    done = _run_as_reader(program)
    tmp_path.chmod(0o755)
    first, second = done.splitlines()
    assert "Make the file, its folder and the disk writable for this user." in first
    assert "Check that the folder exists and that this user may write in it." in second


def test_readers_see_the_past_while_a_writer_writes(store: Store) -> None:
    store.inbox.append([make_reading(1.0)], 1)
    with store._database.write() as connection:
        connection.execute(text("UPDATE counter SET value = 99 WHERE name = 'inbox'"))
        assert store.inbox.last_sequence() == 1
    assert store.inbox.last_sequence() == 99


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_durability_is_one_knob_on_sqlite(sqlite_url: str, durable: bool, level: int) -> None:
    with Store.open(sqlite_url, durable=durable) as store, store._database.read() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == level
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


@pytest.mark.postgres
@pytest.mark.parametrize(("durable", "level"), [(True, "on"), (False, "off")])
def test_durability_is_one_knob_on_postgresql(postgres_url: str, durable: bool, level: str) -> None:
    with Store.open(postgres_url, durable=durable) as store, store._database.read() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == level


def _run_as_reader(program: str) -> str:
    """Run a program that must heed permissions; root loses the capability to pass over them."""
    without = "-dac_override,-dac_read_search"
    prefix = ["setpriv", "--bounding-set", without, "--inh-caps", without] if os.geteuid() == 0 else []
    command = [*prefix, sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
