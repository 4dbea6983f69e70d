"""The platform from the command line: started, replayed into, refused where it cannot start."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cityforge.processes import ROOT
from contracts import AccessError, Answer, DataError
from serving import PlatformClient
from tests.cityforge.conftest import Command

READINGS = "sign,time,value\n" + "".join(
    f"water_main.flow,2022-04-{20 + hour // 24:02d}T{hour % 24:02d}:00:00Z,{101 + hour % 3}\n" for hour in range(30)
)


@pytest.fixture
def hostile(project: Path) -> Path:
    """A user's folder with packages of our rooms' names, none of which may be imported."""
    for name in ("models", "training", "store", "serving", "operations", "contracts", "gpu"):
        (project / name).mkdir()
        (project / name / "__init__.py").write_text("raise RuntimeError('a package of the user was imported')\n")
    (project / "cityforge.toml").write_text('packs = ["water_main"]\nclock = "ticks"\nport = 0\n')
    (project / "readings.csv").write_text(READINGS)
    return project


@pytest.fixture
def platform(hostile: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-P", "-m", "cityforge", "serve", "--open", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    yield process, json.loads(line)
    process.terminate()
    process.communicate(timeout=30)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_replay_is_decided_on_and_may_be_started_again(
    cityforge: Command, platform: tuple[subprocess.Popen[str], dict[str, Any]]
) -> None:
    process, told = platform
    assert set(told["processes"]) == {"serving", "runtime"}
    arguments = ("replay", "water_main", "--csv", "readings.csv", "--url", told["url"], "--json")
    first = cityforge(*arguments, "--until", "2022-04-20T12:00Z")
    assert first.code == 0, first.err
    assert (first.data["posted"], first.data["accepted"], first.data["steps"]) == (12, 12, 12)
    whole = cityforge(*arguments)
    assert (whole.data["posted"], whole.data["accepted"], whole.data["duplicates"]) == (30, 18, 12)
    with PlatformClient(told["url"]) as client:
        status = client.status()
        assert status["runtime_offset"] == status["inbox_sequence"] == whole.data["last_sequence"]
        with pytest.raises(DataError, match="404"):
            client.give_verdict("ep-0000000000000000", Answer.FALSE)

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert not any(is_alive(pid) for pid in told["processes"].values())


def test_readings_that_the_clock_has_passed_are_said_to_be_late(
    cityforge: Command, platform: tuple[subprocess.Popen[str], dict[str, Any]]
) -> None:
    _, told = platform
    arguments = ("replay", "water_main", "--csv", "readings.csv", "--url", told["url"], "--json")
    assert cityforge(*arguments, "--from", "2022-04-20T12:00Z").code == 0
    late = cityforge(*arguments, "--until", "2022-04-20T12:00Z")
    assert late.code == 1
    assert "comes too late for any warning" in late.err
    filled = cityforge(*arguments, "--until", "2022-04-20T12:00Z", "--allow-late")
    assert filled.code == 0, filled.err
    assert filled.data["late"] == filled.data["accepted"] == 11


def test_refused_readings_are_counted_and_named(
    cityforge: Command, platform: tuple[subprocess.Popen[str], dict[str, Any]], hostile: Path
) -> None:
    _, told = platform
    (hostile / "readings.csv").write_text(READINGS + "nobody.knows,2022-04-20T03:00:00Z,1\n")
    outcome = cityforge("replay", "water_main", "--csv", "readings.csv", "--url", told["url"], "--json")
    assert outcome.code == 3
    assert (outcome.data["refused"], outcome.data["accepted"]) == (1, 30)
    assert "nobody.knows" in outcome.err


def test_a_platform_without_keys_is_closed(cityforge: Command, hostile: Path) -> None:
    command = [sys.executable, "-P", "-m", "cityforge", "serve", "--only", "serving", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with PlatformClient(url) as client, pytest.raises(AccessError, match="Set CITYFORGE_API_KEY"):
            client.status()
        process.terminate()
    assert process.returncode == 0


def start(*arguments: str, **variables: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    command = [sys.executable, "-P", "-m", "cityforge", "serve", "--json", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.slow
def test_each_part_runs_alone(cityforge: Command, hostile: Path) -> None:
    serving, told = start("--open", "--only", "serving")
    runtime, also_told = start("--only", "runtime", CITYFORGE_URL=told["url"])
    assert (set(told["processes"]), set(also_told["processes"])) == ({"serving"}, {"runtime"})
    arguments = ("replay", "water_main", "--csv", "readings.csv", "--url", told["url"], "--json")
    outcome = cityforge(*arguments)
    assert (outcome.code, outcome.data["accepted"]) == (0, 30), outcome.err
    stop(runtime)
    stop(serving)


def test_a_port_in_use_is_refused_before_anything_starts(cityforge: Command, hostile: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        outcome = cityforge("serve", "--open", "--port", port)
    assert outcome.code == 1
    assert f"Port {port} on 127.0.0.1 is in use by" in outcome.err
    assert "--port" in outcome.err


def test_open_access_to_the_world_is_refused(cityforge: Command, hostile: Path) -> None:
    outcome = cityforge("serve", "--open", "--host", "0.0.0.0")  # noqa: S104 - refused
    assert outcome.code == 2
    assert "must be a loopback address" in outcome.err


def test_nobody_answers_where_nothing_runs(cityforge: Command, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.client.connection.FIRST_PAUSE_S", 0.0)
    outcome = cityforge("replay", "water_main", "--csv", "readings.csv", "--url", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "does not answer" in outcome.err
    assert "cityforge serve" in outcome.err


def test_a_folder_that_cannot_be_written_is_said(
    cityforge: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYFORGE_HOME", "/proc/cityforge")
    outcome = cityforge("serve", "--open", "--port", "0")
    assert outcome.code == 1
    assert "StoreError" in outcome.err
    assert "'/proc/cityforge' cannot be made" in outcome.err
    assert "Set `home`" in outcome.err


def test_a_store_of_a_newer_schema_is_refused(cityforge: Command, project: Path) -> None:
    assert cityforge("signs", "list").code == 0
    with sqlite3.connect(project / ".cityforge" / "store.db") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%version_num%'")]
        database.execute(f"UPDATE {tables[0]} SET version_num = '9999_of_the_future'")  # noqa: S608 - our own table
    database.close()
    for command in (["signs", "list"], ["serve", "--open", "--port", "0"], ["models"]):
        outcome = cityforge(*command)
        assert outcome.code == 1
        assert "SchemaError" in outcome.err
        assert "9999_of_the_future" in outcome.err


def test_a_store_that_is_none_is_refused(cityforge: Command, project: Path) -> None:
    (project / ".cityforge").mkdir()
    (project / ".cityforge" / "store.db").write_bytes(b"this is no database, but long enough to be taken for one " * 9)
    outcome = cityforge("signs", "list")
    assert outcome.code == 1
    assert "StoreError" in outcome.err
    assert "Traceback" not in outcome.err
