"""The border to MLflow: opened once, migrated once, offline, and its errors in our own words.

mlflow is imported at first use: it costs about 2 s and 150 MiB, and short commands do without it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import configure_mappers

from contracts import SchemaError, StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient

BUSY_TIMEOUT_S = 60
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the standard output is the command's own
}


class Tracking:
    """An MLflow tracking server and registry, or the SQLite file that stands in for one.

    Args:
        uri: ``sqlite:///path/mlflow.db`` or the address of an MLflow server.
        artifact_root: folder of the artefacts; by default ``mlartifacts`` beside the SQLite file, and decided by the
            server where there is one.

    Raises:
        SchemaError: if the file was written by a newer MLflow.
        StoreError: if it cannot be opened.
    """

    def __init__(self, uri: str, artifact_root: Path | None) -> None:
        self.uri = uri
        file = sqlite_file(uri)
        self._artifact_root = artifact_root or (None if file is None else file.with_name("mlartifacts"))
        if file is not None:
            uri = f"sqlite:///{file}?timeout={BUSY_TIMEOUT_S}"
        mlflow = load_mlflow()
        with border(f"MLflow at {self.uri!r} cannot be opened"):
            if file is not None:
                _map_tables()
                _prepare_file(file, uri)
            self.client: MlflowClient = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    def experiment_id(self, name: str) -> str:
        """Return the id of an experiment, made if there is none; safe among parallel trainings."""
        with border(f"The experiment {name!r} cannot be opened"):
            found = self.client.get_experiment_by_name(name)
            if found is None:
                location = None if self._artifact_root is None else (self._artifact_root.resolve() / name).as_uri()
                with already_there():
                    self.client.create_experiment(name, artifact_location=location)
                found = self.client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            message = f"The experiment {name!r} was deleted in MLflow. Restore it there, or use another name."
            raise StoreError(message)
        return str(found.experiment_id)


def load_mlflow() -> Any:
    """Import mlflow, with telemetry and pickles off."""
    os.environ.update(_SETTINGS)
    with own_warnings_off():
        import mlflow  # costs 2 s

    return mlflow


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite URI, None for any other.

    Raises:
        StoreError: if the URI cannot be read, or names a database in memory.
    """
    try:
        url = make_url(uri)
    except ArgumentError as exc:
        message = f"{uri!r} is no tracking address. Use 'sqlite:///path/mlflow.db' or 'http://host:port'."
        raise StoreError(message) from exc
    if url.get_backend_name() != "sqlite":
        return None
    if url.database in (None, "", ":memory:"):
        message = f"{uri!r} keeps nothing. Name a file, such as 'sqlite:///.cityforge/mlflow.db'."
        raise StoreError(message)
    return Path(str(url.database)).resolve()


@contextmanager
def border(what: str) -> Iterator[None]:
    """Turn the failures of MLflow, its database and its files into a :class:`StoreError`."""
    from mlflow.exceptions import MlflowException  # loaded by now

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, sqlite3.Error) as exc:
        message = f"{what}: {exc} Check the address, free space and permissions."
        raise StoreError(message) from exc


@contextmanager
def own_warnings_off() -> Iterator[None]:
    """Hide what MLflow's modules warn about themselves while they load: nobody who uses cityforge can mend it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def already_there() -> Iterator[None]:
    """Pass over the failure to make what another process has made meanwhile."""
    from mlflow.exceptions import MlflowException  # loaded by now

    try:
        yield
    except MlflowException as exc:
        if exc.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _map_tables() -> None:
    with own_warnings_off():
        import mlflow.store.tracking.dbmodels.models  # noqa: F401 - registers the mappings

        configure_mappers()


def _prepare_file(file: Path, uri: str) -> None:
    """Make or migrate the file while holding a lock, and set its journal to WAL once for all who open it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            found = _revision(connection)
        if found != _newest_revision(found):
            with _quiet("alembic", "mlflow.store.db.utils"):
                _migrate(file, uri, found)


def _revision(connection: sqlite3.Connection) -> str | None:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    return None if row is None else str(row[0])


def _newest_revision(found: str | None) -> str:
    """Return the schema that the installed MLflow writes.

    Raises:
        SchemaError: if the file's is unknown to it.
    """
    import mlflow.store
    from alembic.script import ScriptDirectory  # deferred: mlflow brings it, and without mlflow it is not needed
    from alembic.util import CommandError  # deferred: as above

    scripts = ScriptDirectory(str(Path(mlflow.store.__file__).parent / "db_migrations"))
    if found is not None:
        try:
            scripts.get_revision(found)
        except CommandError as exc:
            message = (
                f"The MLflow database has schema {found!r}, which MLflow {mlflow.__version__} does not know: a newer "
                "one wrote it. Upgrade MLflow, or restore a backup of the database."
            )
            raise SchemaError(message) from exc
    return str(scripts.get_current_head())


def _migrate(file: Path, uri: str, found: str | None) -> None:
    from mlflow.store.db.utils import _initialize_tables, _upgrade_db, create_sqlalchemy_engine

    if found is not None:
        backup = file.with_name(f"{file.name}.{found}.backup")
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)
    engine = create_sqlalchemy_engine(uri)
    try:
        if found is None:
            _initialize_tables(engine)
        else:
            _upgrade_db(engine)
    finally:
        engine.dispose()


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
