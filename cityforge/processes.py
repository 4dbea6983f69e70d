"""One process of the platform: started, watched, restarted when it crashes, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from contracts import ServiceError

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds all rooms, in a checkout as in an installation."""

STOP_S = 15.0
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
HEALTHY_S = 60.0
"""A process that lived this long before it crashed is restarted without delay growing."""

LOG_BYTES = 16 * 1024 * 1024
TAIL_LINES = 12
_OWN_PREFIXES = ("CITYFORGE_", "PYTHON")


@dataclass(frozen=True, slots=True)
class Part:
    """What to run.

    Attributes:
        name: such as ``serving``; also the name of its log.
        module: run as ``python -m`` does.
        environment: variables of its own, such as its settings as JSON.
        is_ready: answers whether it does its work by now.
        timeout_s: time it may take to become ready.
    """

    name: str
    module: str
    environment: Mapping[str, str] = field(repr=False)
    is_ready: Callable[[], bool]
    timeout_s: float = 60.0


class ChildProcess:
    """A part that runs, and is started again whenever it ends unasked.

    Args:
        part: what to run.
        logs: folder of its log.
        report: called with one line when something happens to it.
    """

    def __init__(self, part: Part, logs: Path, report: Callable[[str], None]) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self.restarts = 0
        self._report = report
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._lifeline: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._keeper: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            ServiceError: if it was not started.
        """
        if self._process is None:
            message = f"{self.part.name} was not started."
            raise ServiceError(message)
        return self._process.pid

    def start(self) -> None:
        """Start it; :meth:`keep` must be called for it to be restarted.

        Raises:
            ServiceError: if it cannot be started or its log cannot be written.
        """
        reading, writing = os.pipe()
        command = [sys.executable, "-P", "-m", "cityforge.child", self.part.module, str(reading)]
        try:
            with self._open_log() as log:
                self._process = subprocess.Popen(
                    command,
                    env=child_environment(self.part.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(reading,),
                    start_new_session=True,
                )
        except OSError as exc:
            os.close(writing)
            message = f"{self.part.name} cannot be started: {exc}. Check the folder {str(self.log.parent)!r}."
            raise ServiceError(message) from exc
        finally:
            os.close(reading)
        self._lifeline = writing
        self._started_at = time.monotonic()

    def wait_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            ServiceError: if it ends or takes too long, with the last lines of its log.
        """
        deadline = time.monotonic() + self.part.timeout_s
        while not self.part.is_ready():
            code = None if self._process is None else self._process.poll()
            if code is not None:
                message = f"{self.part.name} ended with code {code} before it was ready. {self._tail()}"
                raise ServiceError(message)
            if time.monotonic() > deadline:
                message = f"{self.part.name} was not ready after {self.part.timeout_s:.0f} s. {self._tail()}"
                raise ServiceError(message)
            self._stopping.wait(0.05)

    def keep(self) -> None:
        """Restart it from now on whenever it ends unasked, ever later while it keeps crashing."""
        self._keeper = threading.Thread(target=self._keep, name=f"keep-{self.part.name}", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Ask it to end, wait, then end whatever is left of its group."""
        self._stopping.set()
        with self._lock:
            process = self._process
            if process is not None:
                if process.poll() is None:
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(STOP_S)
                self._sweep(process)
        if self._keeper is not None:
            self._keeper.join(STOP_S)

    def _keep(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while self._process is not None:
            code = self._process.wait()
            with self._lock:
                if self._stopping.is_set():
                    return
                self._sweep(self._process)
            lived_s = time.monotonic() - self._started_at
            backoff_s = FIRST_BACKOFF_S if lived_s > HEALTHY_S else backoff_s
            self._report(f"{self.part.name} ended with code {code}; starting it again in {backoff_s:.1f} s")
            if self._stopping.wait(backoff_s):
                return
            backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
            self._restart()

    def _restart(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            self.restarts += 1
            try:
                self.start()
            except ServiceError as exc:
                self._report(str(exc))

    def _sweep(self, process: subprocess.Popen[bytes]) -> None:
        """End what is left of a process's group: workers that outlived it would hold its port."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def _open_log(self) -> IO[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        return self.log.open("ab")

    def _tail(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        except OSError:
            lines = []
        return f"The end of {str(self.log)!r}:\n" + "\n".join(f"    {line}" for line in lines)


def child_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: ours without our settings, a safe import path, and its own variables.

    A child gets the settings it is given and no other secret of the command line. The import path begins with our own
    root and the working directory is not on it: a user's ``models/`` never stands in for ours.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIXES)}
    path = {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    return {**inherited, **path, **own}
