"""The platform on one machine: serving, runtime and feeds as child processes, ready together, stopped together."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from contracts import ConfigurationError, Problem
from operations import RuntimeSettings, runtime_status
from serving import ApiKey, PlatformClient, Role, ServingSettings, check_tls
from store import Store

from .packs import find_pack
from .ports import claim_port
from .processes import ChildProcess, Part
from .settings import Settings

SERVING, RUNTIME, FEEDS = "serving", "runtime", "feeds"
PARTS = (SERVING, RUNTIME, FEEDS)
OWN_KEY_NAME = "platform"
KEY_BYTES = 32
SERVING_VARIABLE, RUNTIME_VARIABLE = "CITYFORGE_SERVING", "CITYFORGE_RUNTIME"
FEEDS_VARIABLE, CAMERAS_FILE, FEEDS_STATUS = "CITYFORGE_FEEDS", "cameras.toml", "feeds.json"


class Platform:
    """Serving, runtime and, where a pack has cameras, feeds: started on entry, watched, and stopped on exit.

    Each start of serving makes a key of its own, known to the children alone and gone with them, which :meth:`client`
    presents. A runtime that runs alone presents the key of the settings to the serving of the settings.

    Args:
        settings: where state lies, host, port, keys.
        parts: which processes to start; all by default.
        report: called with one line when something happens.

    Raises:
        ServiceError: on entry, if the port is in use or a part does not become ready.
    """

    def __init__(
        self, settings: Settings, *, parts: Collection[str] = PARTS, report: Callable[[str], None] | None = None
    ) -> None:
        self.settings = settings
        self.api_key: SecretStr | None = settings.api_key
        self.url = settings.platform_url
        self._port = settings.port
        self.children: dict[str, ChildProcess] = {}
        wanted = [name for name in PARTS if name in parts]
        self._parts = tuple(name for name in wanted if name != FEEDS or self._camera_packs() or len(wanted) == 1)
        self._report = report or (lambda _: None)
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        """Start all parts and wait until they are ready."""
        if not self._parts:
            message = f"no part to start; choose from {', '.join(PARTS)}"
            raise ConfigurationError("The supervisor", [Problem("parts", message)])  # noqa: EM101
        if SERVING in self._parts:
            port = claim_port(self.settings.host, self.settings.port)
            self._port = port
            self.url = self._own_url(port)
            self.api_key = SecretStr(secrets.token_urlsafe(KEY_BYTES))
        self._prepare_store()
        try:
            for name in self._parts:
                self._start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all parts."""
        self.close()

    def _own_url(self, port: int) -> str:
        """Return where the parts and commands reach serving; with TLS under the name that its certificate bears."""
        tls = self.settings.serving_tls
        if tls is None:
            return f"http://{_reachable(self.settings.host)}:{port}"
        check_tls(tls)
        return (self.settings.url or f"https://{_reachable(self.settings.host)}:{port}").rstrip("/")

    def _trust(self) -> dict[str, str | None] | None:
        """Return whom the parts trust as serving, and who they are, as their settings take it."""
        trust = self.settings.trust
        return None if trust is None else trust.model_dump(mode="json")

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.settings.home_folder / "logs"

    def client(self) -> PlatformClient:
        """Return a client of this platform; use it in a ``with`` block."""
        return PlatformClient(self.url, self.api_key, tls=self.settings.trust)

    def wait(self) -> None:
        """Block until :meth:`request_stop`."""
        self._stop.wait()

    def request_stop(self) -> None:
        """Let :meth:`wait` return; safe in a signal handler."""
        self._stop.set()

    def close(self) -> None:
        """Stop all parts, the runtime first, so that it can still ask serving."""
        for child in reversed(self.children.values()):
            child.stop()

    def _prepare_store(self) -> None:
        """Bring the store up to date once, before several processes open it."""
        self.settings.make_home()
        Store.open(self.settings.store_address).close()

    def _start(self, name: str) -> None:
        makers = {SERVING: self._serving_part, RUNTIME: self._runtime_part, FEEDS: self._feeds_part}
        part = makers[name]()
        child = ChildProcess(part, self.logs, self._report)
        self.children[name] = child
        child.start()
        child.wait_ready()
        child.keep()
        self._report(f"{name} is ready (process {child.pid})")
        if name == SERVING:
            self._report_broken_models()

    def _serving_part(self) -> Part:
        settings = self.settings
        own = ApiKey(name=OWN_KEY_NAME, role=Role.ADMINISTRATOR, sha256=hash_key(_reveal(self.api_key) or ""))
        values = {
            "host": settings.host,
            "port": self._port,
            "grpc_port": settings.grpc_port,
            "tls": None if settings.serving_tls is None else settings.serving_tls.model_dump(mode="json"),
            "workers": settings.workers,
            "inference_log": _inference_log(settings),
            "response_cache_mib": settings.response_cache_mib,
            "store_url": settings.store_address,
            "releases_url": settings.releases_address,
            "open_access": settings.open_access,
            "keys": [key.model_dump(mode="json") for key in (*settings.keys, own)],
            "shard": settings.shard,
            "clock": settings.clock,
            "log_level": settings.log_level,
        }
        ServingSettings.model_validate(values)
        return Part(SERVING, SERVING, {SERVING_VARIABLE: json.dumps(values)}, self._serving_is_ready)

    def _runtime_part(self) -> Part:
        settings = self.settings
        values = {
            "store_url": settings.store_address,
            "serving_url": self.url,
            "serving_key": _reveal(self.api_key),
            "tls": self._trust(),
            "packs": [str(find_pack(name, base=settings.folder)) for name in settings.pack_names()],
            "releases_url": settings.releases_address,
            "shard": settings.shard,
            "clock": settings.clock,
            "log_level": settings.log_level,
        }
        RuntimeSettings.model_validate(values)
        since = datetime.now(UTC)
        return Part(
            RUNTIME, "operations", {RUNTIME_VARIABLE: json.dumps(values)}, lambda: self._runtime_is_ready(since)
        )

    def _camera_packs(self) -> list[str]:
        """Return the folders of the packs that have cameras."""
        folders = [find_pack(name, base=self.settings.folder) for name in self.settings.pack_names()]
        return [str(folder) for folder in folders if (folder / CAMERAS_FILE).is_file()]

    def _feeds_part(self) -> Part:
        settings = self.settings
        values = {
            "serving_url": self.url,
            "serving_key": _reveal(self.api_key),
            "tls": self._trust(),
            "packs": self._camera_packs(),
            "home": str(settings.home_folder),
            "log_level": settings.log_level,
        }
        status = settings.home_folder / FEEDS_STATUS
        status.unlink(missing_ok=True)
        return Part(FEEDS, "operations.feeds", {FEEDS_VARIABLE: json.dumps(values)}, status.is_file)

    def _serving_is_ready(self) -> bool:
        """Return whether serving answers: a model that cannot be opened must not keep the rules from being watched."""
        with self.client() as client:
            return client.is_alive()

    def _report_broken_models(self) -> None:
        with self.client() as client:
            if client.is_ready():
                return
            broken = [model for model in client.status()["models"] if model["failure"]]
        for model in broken:
            self._report(f"{model['name']} does not answer: {model['failure']} The rules are watched without it.")

    def _runtime_is_ready(self, since: datetime) -> bool:
        with Store.open(self.settings.store_address, create=False) as store:
            status = runtime_status(store, self.settings.shard)
        return status is not None and status.updated_at >= since


def _inference_log(settings: Settings) -> dict[str, Any] | None:
    if not settings.inference_log_share:
        return None
    folder, share = str(settings.inference_log_folder), settings.inference_log_share
    return {"folder": folder, "share": share, "limit_mib": settings.inference_log_mib}


def hash_key(key: str) -> str:
    """Return what is kept of an API key: keys are long and random, so a plain sha256 cannot be guessed back."""
    return sha256(key.encode()).hexdigest()


def _reveal(key: SecretStr | None) -> str | None:
    return None if key is None else key.get_secret_value()


def _reachable(host: str) -> str:
    """Return an address at which this machine reaches a server that listens on ``host``."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
    return wildcard.get(host, f"[{host}]" if ":" in host else host)
