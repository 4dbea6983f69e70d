"""Every server that is compared: how it starts, when it is ready, and how it is asked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from contracts import Action, Array, ReleaseManifest, Task
from serving import SETTINGS_VARIABLE, ServingSettings
from store import ReleaseStore, Store

from .graphs import SIGNATURE, contexts
from .load import Request

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).with_name("peers")
OURS, BARE, BENTOML = "cityforge", "bare uvicorn", "bentoml"
MODEL = "forecaster"
START_TIMEOUT_S = 90.0
_ENVIRONMENTS = {"serving": "CITYFORGE_PEERS_SERVING", "mlserver": "CITYFORGE_PEERS_MLSERVER"}
_QUIET = {
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "2",
}


@dataclass(frozen=True, slots=True)
class Server:
    """One server.

    Attributes:
        name: as the figures call it.
        command: that starts it in the foreground.
        request: one row, as it takes it.
        environment: variables beside those of this process.
        folder: working directory.
    """

    name: str
    command: Sequence[str]
    request: Request
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @contextlib.contextmanager
    def running(self, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the end of the block, from its first good answer on."""
        with log.open("ab") as out:
            process = subprocess.Popen(
                self.command,
                env=os.environ | _QUIET | self.environment,
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that whatever it starts ends with it
            )
        try:
            self._wait(process, port, log)
            yield process
        finally:
            _end(process)

    def _wait(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        url = f"http://127.0.0.1:{port}{self.request.path}"
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.post(url, content=self.request.body, headers=self.request.headers, timeout=10).is_success:
                    return
            time.sleep(0.2)
        message = f"{self.name} does not answer; its log ends with:\n{log.read_text(errors='replace')[-3000:]}"
        raise TimeoutError(message)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, patience_s in ((signal.SIGTERM, 15), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience_s)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that outlived it


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def inference_body(context: Array, **parameters: Any) -> bytes:
    """Return an Open Inference request in JSON."""
    entry = {
        "name": "context",
        "shape": list(context.shape),
        "datatype": "FP32",
        "data": [round(float(value), 2) for value in context.reshape(-1)],
    }
    return json.dumps({"inputs": [entry], **parameters}).encode()


def binary_request(context: Array) -> Request:
    """Return an Open Inference request with raw tensors in both directions."""
    raw = context.tobytes()
    entry = {
        "name": "context",
        "shape": list(context.shape),
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [entry], "parameters": {"binary_data_output": True}}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }
    return Request(f"/v2/models/{MODEL}/infer", head + raw, headers)


def ours(folder: Path, content: bytes, port: int, **options: Any) -> Server:
    """Return our server with one champion."""
    folder.mkdir(parents=True, exist_ok=True)
    store_url, releases_url = f"sqlite:///{folder / 'store.db'}", str(folder / "releases")
    with Store.open(store_url) as store:
        promote(store, ReleaseStore(releases_url), content, version=1)
    settings = ServingSettings(store_url=store_url, releases_url=releases_url, port=port, open_access=True, **options)
    return Server(
        OURS,
        [sys.executable, "-P", "-m", "serving"],
        Request(f"/v2/models/{MODEL}/infer", inference_body(contexts(1))),
        {SETTINGS_VARIABLE: settings.model_dump_json(), "PYTHONPATH": str(ROOT)},
    )


def promote(store: Store, releases: ReleaseStore, content: bytes, version: int, name: str = MODEL) -> ReleaseManifest:
    """Release a graph and make it champion."""
    manifest = ReleaseManifest(
        name=name,
        version=version,
        task=Task.CLASSIFY,  # raw in, raw out: no forecast spec asks for readings
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        signature=SIGNATURE,
        created_at=datetime.now(UTC),
    )
    releases.put(content, manifest)
    store.ledger.append(Action.PROMOTE, manifest, "benchmark")
    return manifest


def peer_python(environment: str) -> Path | None:
    """Return the interpreter of an environment of peers, None where ``make peers-serving`` has not made it."""
    folder = Path(os.environ.get(_ENVIRONMENTS[environment], ROOT / f".venv-peers-{environment}"))
    python = folder / "bin" / "python"
    return python if python.exists() else None


def peers(folder: Path, content: bytes, port: int) -> list[Server]:
    """Return every peer that is installed here, with the same model."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    model.write_bytes(content)
    environment = {"MODEL": str(model), "BENTOML_HOME": str(folder / "bentoml")}
    context = json.loads(inference_body(contexts(1)))["inputs"][0]["data"]
    nested = Request("/predict", json.dumps({"context": [context]}).encode())
    found: list[Server] = []
    python = peer_python("serving")
    if python is not None:
        found += _plain_peers(python, environment, nested, port)
        found.append(_mlflow(python, folder, environment, context, port))
    python = peer_python("mlserver")
    if python is not None:
        found.append(_mlserver(python, folder, environment, port))
    return found


def bare(folder: Path, content: bytes, port: int) -> Server | None:
    """Return the ASGI function that does the least, None without the environment of peers."""
    python = peer_python("serving")
    if python is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    model.write_bytes(content)
    request = Request("/", inference_body(contexts(1)))
    return Server(BARE, [str(python), str(PEERS / "bare_asgi.py"), str(port)], request, {"MODEL": str(model)})


def _plain_peers(python: Path, environment: Mapping[str, str], nested: Request, port: int) -> list[Server]:
    serve = [str(python), "-m", "bentoml", "serve", "--port", str(port)]
    lit = [str(python), str(PEERS / "litserve_server.py"), str(port)]
    root = Request("/", nested.body)
    return [
        Server(BENTOML, [*serve, "bentoml_service:Stock"], nested, environment, PEERS),
        Server("bentoml batchable", [*serve, "bentoml_service:Batched"], nested, environment, PEERS),
        Server("litserve", lit, nested, environment),
        Server("litserve batched", [*lit, "--batched"], nested, environment),
        Server("ray serve", [str(python), str(PEERS / "ray_server.py"), str(port)], root, environment),
    ]


def _mlflow(python: Path, folder: Path, environment: Mapping[str, str], context: list[float], port: int) -> Server:
    written = folder / "mlflow"
    if not written.exists():
        command = [python, PEERS / "mlflow_model.py", folder / "model.onnx", written]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | _QUIET)
    command = [str(python), "-m", "mlflow", "models", "serve", "-m", str(written), "--env-manager", "local"]
    request = Request("/invocations", json.dumps({"inputs": {"context": [context]}}).encode())
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # it starts `uvicorn` by name
    return Server("mlflow", [*command, "-p", str(port), "-w", "1"], request, {**environment, "PATH": path}, folder)


def _mlserver(python: Path, folder: Path, environment: Mapping[str, str], port: int) -> Server:
    home = folder / "mlserver"
    home.mkdir(exist_ok=True)
    settings = {
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,  # its fastest: the model runs in the process that listens
        "debug": False,
    }
    (home / "settings.json").write_text(json.dumps(settings))
    (home / "model-settings.json").write_text(
        json.dumps({"name": MODEL, "implementation": "mlserver_runtime.OnnxModel"})
    )
    request = Request(f"/v2/models/{MODEL}/infer", inference_body(contexts(1)))
    command = [str(python), "-c", "from mlserver.cli import main; main()", "start", str(home)]
    return Server("mlserver", command, request, {**environment, "PYTHONPATH": str(PEERS)}, home)
