"""What one round measures: every part starts its servers anew, one after the other, so that none has company."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import grpc

from serving.protocol.messages import INFERENCE, calls_of

from .graphs import contexts
from .load import Request, run_load
from .raw import measure_raw
from .servers import MODEL, bare, binary_request, free_port, ours, peers

Round = dict[str, float]
"""Figures by name."""
_CONNECTIONS = 16
_WARM_S = 1.0
_SIGNS = 2600


def measure_small(
    models: Mapping[str, bytes], folder: Path, *, seconds: float, servers: Collection[str] | None = None
) -> Round:
    """Return requests/s of every server with the small model at 16 connections."""
    content, port = models["small"], free_port()
    found = {"raw": measure_raw(content, contexts(1), seconds).runs_per_s}
    chosen = [ours(_fresh(folder), content, port), bare(folder / "bare", content, port)]
    for server in [*chosen, *peers(folder / "peers", content, port)]:
        if server is None or (servers and server.name not in servers):
            continue
        with server.running(port, folder / f"{server.name}.log"):
            url = f"http://127.0.0.1:{port}"
            run_load(url, server.request, connections=_CONNECTIONS, seconds=_WARM_S)
            measured = run_load(url, server.request, connections=_CONNECTIONS, seconds=seconds)
        if measured.failures:
            print(f"{server.name}: {measured.failures} requests failed", file=sys.stderr)
        found[server.name] = measured.requests_per_s
    return found


def measure_large(models: Mapping[str, bytes], folder: Path, *, seconds: float) -> Round:
    """Return requests/s of ours and of the raw loop with a 3 ms and an 11 ms model."""
    found: Round = {}
    for name in ("middle", "large"):
        content, port = models[name], free_port()
        before = measure_raw(content, contexts(1), seconds).runs_per_s
        server = ours(_fresh(folder / name), content, port)
        with server.running(port, folder / f"{name}.log"):
            url = f"http://127.0.0.1:{port}"
            run_load(url, server.request, connections=_CONNECTIONS, seconds=_WARM_S)
            measured = run_load(url, server.request, connections=_CONNECTIONS, seconds=seconds)
        after = measure_raw(content, contexts(1), seconds).runs_per_s
        found |= {name: measured.requests_per_s, f"{name} raw": (before + after) / 2}
    return found


def measure_latency_added(models: Mapping[str, bytes], folder: Path, *, seconds: float) -> Round:
    """Return what each front adds to the small model's own time, one request after the other."""
    content, port, grpc_port = models["small"], free_port(), free_port()
    raw_ms = measure_raw(content, contexts(1), seconds).p50_ms
    server = ours(_fresh(folder), content, port, grpc_port=grpc_port)
    url = f"http://127.0.0.1:{port}"
    body = json.dumps({"model": MODEL, "inputs": {"context": contexts(1).tolist()}}).encode()
    requests = {
        "rest": server.request,
        "rest_binary": binary_request(contexts(1)),
        "bentoml": Request("/bentoml/infer", body),
    }
    found: Round = {}
    with server.running(port, folder / "ours.log"):
        for name, request in requests.items():
            run_load(url, request, connections=1, seconds=_WARM_S)
            found[name] = run_load(url, request, connections=1, seconds=seconds).p50_ms - raw_ms
        found["grpc"] = _grpc_p50_ms(f"127.0.0.1:{grpc_port}", seconds) - raw_ms
    return found


def measure_batch(models: Mapping[str, bytes], folder: Path, *, seconds: float) -> Round:
    """Return how long 2,600 signs take in one binary request, and in one run of the raw session."""
    content, port = models["small"], free_port()
    rows = contexts(_SIGNS)
    server = ours(_fresh(folder), content, port)
    before = measure_raw(content, rows, seconds)
    with server.running(port, folder / "ours.log"):
        url = f"http://127.0.0.1:{port}"
        run_load(url, binary_request(rows), connections=1, seconds=_WARM_S)
        measured = run_load(url, binary_request(rows), connections=1, seconds=seconds)
    after = measure_raw(content, rows, seconds)
    return {
        "ours": measured.p50_ms,
        "raw": (before.p50_ms + after.p50_ms) / 2,
        "raw best": min(before.best_p50_ms, after.best_p50_ms),
    }


def _grpc_p50_ms(address: str, seconds: float) -> float:
    """Return the median of blocking calls by grpc's own client, its share included."""
    ask, _answer = calls_of(INFERENCE)["ModelInfer"]
    request = ask(model_name=MODEL)
    request.inputs.add(name="context", datatype="FP32", shape=contexts(1).shape)
    request.raw_input_contents.append(contexts(1).tobytes())
    taken = []
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{INFERENCE}/ModelInfer")
        content = request.SerializeToString()
        for _ in range(200):
            call(content)
        started = last = time.perf_counter()
        while last - started < seconds:
            call(content)
            now = time.perf_counter()
            taken.append(1000 * (now - last))
            last = now
    return statistics.median(taken)


def _fresh(folder: Path) -> Path:
    """Return a folder that no server has used."""
    used = len(list(folder.glob("ours-*"))) if folder.exists() else 0
    return folder / f"ours-{used}"
