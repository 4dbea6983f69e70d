"""Child processes: readiness, restart, stopping, orphans, import path."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cityforge.processes import ROOT, ChildProcess, Part, child_environment
from contracts import ServiceError

DEADLINE_S = 20.0

WORKER = """
import os, pathlib, signal, subprocess, sys, time
folder = pathlib.Path(os.environ["FOLDER"])
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(folder / "pids").write_text(f"{os.getpid()} {grandchild.pid}")
(folder / "safe").write_text(str(sys.flags.safe_path) + " " + os.getcwd())
signal.signal(signal.SIGTERM, lambda *_: ((folder / "stopped").touch(), sys.exit(0)))
print("at work", flush=True)
time.sleep(600)
"""


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def part(folder: Path, source: str = WORKER, *, timeout_s: float = DEADLINE_S) -> Part:
    (folder / "patient_worker.py").write_text(textwrap.dedent(source), encoding="utf-8")
    environment = {"FOLDER": str(folder), "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    return Part("worker", "patient_worker", environment, (folder / "safe").exists, timeout_s)


def pids(folder: Path) -> tuple[int, int]:
    own, other = (folder / "pids").read_text().split()
    return int(own), int(other)


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def child(tmp_path: Path, reports: list[str]) -> Iterator[ChildProcess]:
    child = ChildProcess(part(tmp_path), tmp_path / "logs", reports.append)
    child.start()
    child.wait_ready()
    child.keep()
    yield child
    child.stop()


def test_stopping_lets_it_end_by_itself_and_takes_what_it_started_along(child: ChildProcess, tmp_path: Path) -> None:
    own, grandchild = pids(tmp_path)
    assert own == child.pid
    child.stop()
    assert (tmp_path / "stopped").exists()
    assert not is_alive(own)
    wait_for(lambda: not is_alive(grandchild), "the end of the grandchild")
    assert "at work" in child.log.read_text()


def test_a_killed_child_is_started_again_and_leaves_no_orphan(
    child: ChildProcess, tmp_path: Path, reports: list[str]
) -> None:
    own, grandchild = pids(tmp_path)
    os.kill(own, signal.SIGKILL)
    wait_for(lambda: child.restarts == 1 and pids(tmp_path)[0] != own, "the restart")
    assert is_alive(child.pid)
    wait_for(lambda: not is_alive(grandchild), "the end of the grandchild")
    assert reports == ["worker ended with code -9; starting it again in 0.5 s"]


def test_it_runs_with_a_safe_import_path(child: ChildProcess, tmp_path: Path) -> None:
    assert (tmp_path / "safe").read_text().split()[0] == "True"


def test_a_child_that_ends_before_it_is_ready_shows_its_log(tmp_path: Path) -> None:
    source = "raise SystemExit('no data folder')"
    child = ChildProcess(part(tmp_path, source), tmp_path / "logs", print)
    child.start()
    with pytest.raises(ServiceError, match=r"worker ended with code 1 before it was ready(?s:.*)no data folder"):
        child.wait_ready()
    child.stop()


def test_a_child_that_never_becomes_ready_is_given_up(tmp_path: Path) -> None:
    child = ChildProcess(part(tmp_path, "import time; time.sleep(600)", timeout_s=0.3), tmp_path / "logs", print)
    child.start()
    with pytest.raises(ServiceError, match="worker was not ready after 0 s"):
        child.wait_ready()
    child.stop()
    assert not is_alive(child.pid)


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in its place")
    child = ChildProcess(part(tmp_path), tmp_path / "logs", print)
    with pytest.raises(ServiceError, match=r"worker cannot be started: .*logs"):
        child.start()
    child.stop()


def test_when_the_supervisor_is_killed_everything_below_it_ends(tmp_path: Path) -> None:
    part(tmp_path)
    source = f"""
import pathlib, time
from cityforge.processes import ChildProcess, Part
folder = pathlib.Path({str(tmp_path)!r})
environment = {{"FOLDER": str(folder), "PYTHONPATH": {f"{ROOT}{os.pathsep}{tmp_path}"!r}}}
child = ChildProcess(Part("worker", "patient_worker", environment, (folder / "safe").exists), folder / "logs", print)
child.start()
child.wait_ready()
(folder / "up").touch()
time.sleep(600)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", source], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_for((tmp_path / "up").exists, "the start")
    finally:
        supervisor.kill()
        supervisor.wait()
    for pid in pids(tmp_path):
        wait_for(lambda pid=pid: not is_alive(pid), "the end of the orphans")  # type: ignore[misc]


def test_the_environment_of_a_child_holds_no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYFORGE_API_KEY", "hush")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("AWS_PROFILE", "city")
    environment = child_environment({"CITYFORGE_SERVING": "{}"})
    assert "CITYFORGE_API_KEY" not in environment
    assert environment["PYTHONPATH"] == str(ROOT)
    assert environment["PYTHONSAFEPATH"] == "1"
    assert environment["AWS_PROFILE"] == "city"
    assert environment["CITYFORGE_SERVING"] == "{}"
