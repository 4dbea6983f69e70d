from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from contracts import SchemaError, StoreError
from registry import Registry
from registry.runs import open_run
from registry.tracking import Tracking, load_mlflow, sqlite_file
from store import ReleaseStore, Store


def schema_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def set_schema(file: Path, revision: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Path:
    return Path(shutil.copyfile(empty_database, tmp_path / "mlflow.db"))


def test_the_journal_is_wal_for_whoever_opens_the_file(database: Path) -> None:
    Tracking(f"sqlite:///{database}", None)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_of_a_newer_mlflow_is_refused_and_left_alone(database: Path) -> None:
    set_schema(database, "f00dfeedcafe")
    with pytest.raises(
        SchemaError, match=r"schema 'f00dfeedcafe', which MLflow 3\..* does not know: a newer one wrote"
    ):
        Tracking(f"sqlite:///{database}", None)
    assert schema_of(database) == "f00dfeedcafe"


def test_a_database_of_an_older_mlflow_is_backed_up_and_upgraded(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    Tracking(f"sqlite:///{file}", None)
    newest = schema_of(file)
    alembic = [sys.executable, "-W", "ignore", "-c", DOWNGRADE, f"sqlite:///{file}"]
    subprocess.run(alembic, check=True, capture_output=True, timeout=60)
    older = schema_of(file)
    assert older != newest
    tracking = Tracking(f"sqlite:///{file}", None)
    assert schema_of(file) == newest
    assert schema_of(tmp_path / f"mlflow.db.{older}.backup") == older
    assert tracking.experiment_id("after") != ""


DOWNGRADE = """
import sys
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
command.downgrade(_get_alembic_config(sys.argv[1]), "-1")
"""


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_text("this is no database, " * 100)
    with pytest.raises(StoreError, match=r"cannot be opened: file is not a database"):
        Tracking(f"sqlite:///{file}", None)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"cannot be opened: .*state.* Check the address, free space and permissions"):
        Tracking(f"sqlite:///{tmp_path}/state/mlflow.db", None)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="Permission denied"):
            Tracking(f"sqlite:///{tmp_path}/mlflow.db", None)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_keeps_nothing(uri: str) -> None:
    with pytest.raises(StoreError, match="keeps nothing"):
        sqlite_file(uri)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(StoreError, match=r"'mlflow\.db' is no tracking address"):
        sqlite_file("mlflow.db")


def test_servers_have_no_file() -> None:
    assert sqlite_file("https://mlflow.city:5000") is None


def test_a_server_that_does_not_answer_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}", durable=False) as store:
        registry = Registry("http://127.0.0.1:9", store, ReleaseStore(tmp_path / "releases"))
        with pytest.raises(StoreError, match="The models in MLflow cannot be read"):
            registry.models()


def test_a_deleted_experiment_is_not_silently_reused(database: Path) -> None:
    tracking = Tracking(f"sqlite:///{database}", None)
    tracking.client.delete_experiment(tracking.experiment_id("water"))
    with pytest.raises(StoreError, match=r"'water' was deleted in MLflow\. Restore it"):
        tracking.experiment_id("water")


def test_telemetry_and_pickles_are_off() -> None:
    load_mlflow()
    from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION, MLFLOW_DISABLE_TELEMETRY

    assert MLFLOW_DISABLE_TELEMETRY.get() is True
    assert MLFLOW_ALLOW_PICKLE_DESERIALIZATION.get() is False


def test_importing_the_room_does_not_load_mlflow() -> None:
    code = (
        "import json, sys, registry; print(json.dumps([name for name in ('mlflow', 'torch') if name in sys.modules]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == []


def open_and_track(file: str, number: int) -> None:
    tracking = Tracking(f"sqlite:///{file}", None)
    experiment = tracking.experiment_id("shared")
    for _ in range(3):
        with open_run(tracking, experiment, f"run-{number}", tags={}, url_of=lambda *_: "") as run:
            for step in range(10):
                run.log_metrics({"loss": 1.0 / (step + 1), "mae": 0.1}, step=step)


@pytest.mark.slow  # three processes import mlflow
def test_processes_that_start_at_once_share_a_new_file(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=open_and_track, args=(str(file), number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    tracking = Tracking(f"sqlite:///{file}", None)
    runs = tracking.client.search_runs([tracking.experiment_id("shared")])
    assert len(runs) == 9
    assert all(len(tracking.client.get_metric_history(run.info.run_id, "loss")) == 10 for run in runs)
