"""The serving process: one port, one or many workers, a clean stop.

With one worker, this process is the worker. With many, it holds the port, starts a process per worker and starts
another one where a worker dies, also in a container, where nobody else would.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from contracts import ServiceError

from .direct import DirectProtocol
from .settings import ServingSettings, TlsSettings
from .tls import check_tls

LISTENER_VARIABLE = "CITYFORGE_SERVING_LISTENER"
"""File descriptor of the port that a worker shares with its siblings."""
_APPLICATION = "serving.service:build_asgi"
BACKLOG = 2048
KEEP_ALIVE_S = 75
DRAIN_S = 20
RESTART_PAUSE_S = 1.0

log = logging.getLogger("serving")


def run_serving(settings: ServingSettings) -> None:
    """Serve until a signal says stop.

    Raises:
        ServiceError: if an address cannot be listened on.
        ConfigurationError: if the certificates cannot be used.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    inherited = os.environ.get(LISTENER_VARIABLE)
    if inherited is not None:
        with socket.socket(fileno=int(inherited)) as listener:
            _run_worker(listener, settings.tls)
        return
    if settings.tls is not None:
        check_tls(settings.tls)
    if settings.grpc_port is not None:
        listen(settings.host, settings.grpc_port).close()  # each worker takes it itself: see here that it is free
    with listen(settings.host, settings.port) as listener:
        if settings.workers == 1:
            _run_worker(listener, settings.tls)
        else:
            _Workers(listener, settings.workers).run()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ServiceError: if the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        message = f"Cannot listen on {host}:{port}: {exc.strerror}. Stop the program that uses it, or set another port."
        raise ServiceError(message) from exc
    listener.set_inheritable(True)
    return listener


def _run_worker(listener: socket.socket, tls: TlsSettings | None) -> None:
    _spare_framework()
    config = uvicorn.Config(
        _APPLICATION,  # by name: BentoML reads its environment when it is imported
        factory=True,
        loop="uvloop",
        http=DirectProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
        **_tls_options(tls),
    )
    server = _Server(config)
    refused = contextlib.suppress(SystemExit)  # how the server says that it did not start
    with refused, asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve([listener]))
    if not server.started:
        message = "The serving process could not start; the lines above tell why."
        raise ServiceError(message)


def _tls_options(tls: TlsSettings | None) -> dict[str, Any]:
    if tls is None:
        return {}
    options = {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
    if tls.client_ca is None:
        return options
    return options | {"ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}


def _spare_framework() -> None:
    """Keep BentoML from reporting usage and from writing into the user's home."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    os.environ.setdefault("BENTOML_HOME", _framework_home())


def _framework_home() -> str:
    return str(Path(tempfile.gettempdir()) / f"cityforge-bentoml-{os.getuid()}")


class _Server(uvicorn.Server):
    """A server whose process ends with 0 after a signal that asks it to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, leave no signal to be raised again, and heed none once all is closed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


class _Workers:
    """Worker processes that share a port; a dead one is replaced."""

    def __init__(self, listener: socket.socket, count: int) -> None:
        self._listener = listener
        self._count = count
        self._stopping = False

    def run(self) -> None:
        """Run until a signal says stop, then stop every worker."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with tempfile.TemporaryDirectory(prefix="cityforge-metrics-") as metrics:
            environment = os.environ | {
                LISTENER_VARIABLE: str(self._listener.fileno()),
                "PROMETHEUS_MULTIPROC_DIR": metrics,
            }
            workers = [self._start(environment) for _ in range(self._count)]
            while not self._stopping:
                time.sleep(RESTART_PAUSE_S)
                for position, worker in enumerate(workers):
                    if worker.poll() is not None and not self._stopping:
                        log.error("worker %s ended with %s and is replaced", worker.pid, worker.returncode)
                        workers[position] = self._start(environment)
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait()

    def _start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "serving"]
        return subprocess.Popen(command, env=environment, pass_fds=[self._listener.fileno()])

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True
