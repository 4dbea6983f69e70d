"""Every test of the store runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from store import Store

from .cluster import find_programs, run_cluster
from .examples import PLACES, SIGNS

_numbers = itertools.count(1)


class Clock:
    """A clock that goes as the test says, in milliseconds."""

    def __init__(self) -> None:
        self.now_ms = 1_650_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture(scope="session")
def cluster() -> Iterator[URL]:
    programs = find_programs()
    if programs is None:
        message = "PostgreSQL's programs (initdb, pg_ctl) are missing: run `make system`."
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(message)
        pytest.skip(message)
    # A socket's path is short by law, and its folder must be open to the cluster's own user.
    folder = Path(tempfile.mkdtemp(prefix="cityforge-pg-", dir="/tmp"))
    try:
        with run_cluster(programs, folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(cluster: URL) -> str:
    """The URL of an empty PostgreSQL database."""
    name = f"store_{next(_numbers)}"
    engine = create_engine(cluster, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return cluster.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database that is not there yet."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, once of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_store(url: str, clock: Clock) -> Iterator[Callable[[], Store]]:
    """Open the same database as often as a test likes, as further processes would."""
    opened: list[Store] = []

    def _open() -> Store:
        opened.append(Store.open(url, clock=clock))
        return opened[-1]

    yield _open
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    """A store with two places and three signs."""
    opened = open_store()
    opened.places.put(PLACES)
    opened.signs.put(SIGNS)
    return opened
