"""A real serving process for tests, started as anyone starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
import psutil

from serving import SETTINGS_VARIABLE, ApiKey, Role, ServingSettings

ROOT = Path(__file__).parents[2]
READY_TIMEOUT_S = 60
KEYS = {role: f"key-of-the-{role.value}-" + "x" * 32 for role in Role}


@dataclass
class Server:
    """A running server.

    Attributes:
        process: its process.
        port: where it listens.
        grpc_port: where it listens for gRPC; None if it does not.
        log: what it writes.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    grpc_port: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, role: Role | None = Role.ADMINISTRATOR) -> httpx.Client:
        headers = {} if role is None else {"Authorization": f"Bearer {KEYS[role]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def wait_until(self, path: str, condition: object) -> httpx.Response:
        """Ask until ``condition(response)`` holds."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        with self.client() as client:
            while True:
                response = client.get(path)
                if condition(response):  # type: ignore[operator]
                    return response
                assert time.monotonic() < deadline, f"{path}: {response.text}\n{self.log.read_text()}"
                time.sleep(0.05)


def settings_of(store_url: str, releases_url: str, port: int, **others: object) -> ServingSettings:
    keys = tuple(
        ApiKey(name=role.value, role=role, sha256=sha256(key.encode()).hexdigest()) for role, key in KEYS.items()
    )
    values = {"store_url": store_url, "releases_url": releases_url, "port": port, "keys": keys, "refresh_s": 0.1}
    return ServingSettings.model_validate(values | others)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(settings: ServingSettings, log: Path) -> Server:
    """Start the process; it may not be ready yet."""
    environment = os.environ | {SETTINGS_VARIABLE: settings.model_dump_json(), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as out:
        command = [sys.executable, "-P", "-m", "serving"]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent)
    return Server(process, settings.port, log, settings.grpc_port)


@contextmanager
def run_server(settings: ServingSettings, log: Path) -> Iterator[Server]:
    """Run a server until the end of the block, and see that it stops with 0."""
    server = launch(settings, log)
    try:
        wait_ready(server)
        yield server
    finally:
        server.process.terminate()
        status = server.process.wait(timeout=40)
    assert status == 0, log.read_text()


def wait_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        assert server.process.poll() is None, server.log.read_text()
        assert time.monotonic() < deadline, server.log.read_text()
        try:
            if httpx.get(f"{server.url}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
