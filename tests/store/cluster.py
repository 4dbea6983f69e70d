"""A real PostgreSQL cluster for the time of the tests, from the programs of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

_OWNER = "postgres"


def find_programs() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``, the newest where there are several."""
    config = shutil.which("pg_config")
    named = [Path(_output(config, "--bindir"))] if config else []
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return next((path for path in [*named, *reversed(installed)] if (path / "initdb").is_file()), None)


@contextmanager
def run_cluster(programs: Path, folder: Path) -> Iterator[URL]:
    """Run a cluster that listens on a socket in the folder alone, and give its URL."""
    data, socket = folder / "data", folder / "socket"
    socket.mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(folder, _OWNER)
        shutil.chown(socket, _OWNER)
    _run(programs / "initdb", "-D", data, "-U", _OWNER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-c listen_addresses='' -k {socket} -c fsync=off"
    _run(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
    try:
        yield URL.create("postgresql+psycopg", username=_OWNER, database="postgres", query={"host": str(socket)})
    finally:
        _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _run(*words: str | Path) -> None:
    as_owner = ["runuser", "-u", _OWNER, "--"] if os.geteuid() == 0 else []
    command = [*as_owner, *map(str, words)]
    done = subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, f"{command} failed: {done.stderr}"


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
