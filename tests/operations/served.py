"""A serving process in miniature: real HTTP, real ONNX, the binary Open Inference Protocol, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from gpu import Session

LENGTH = "Inference-Header-Content-Length"


@dataclass
class Served:
    """What the server answers, and what it was asked.

    Attributes:
        sessions: session and version by model.
        url: where it listens.
        key: the key it asks for; None for none.
        failures: statuses to answer first, one a request.
        batches: the batch size of each request answered.
    """

    sessions: dict[str, tuple[Session, int]]
    url: str = ""
    key: str | None = None
    failures: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)


@contextmanager
def serve(served: Served) -> Iterator[Served]:
    """Answer until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body leave apart: no waiting for an acknowledgement between

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, header, data = _answer(served, self.path, dict(self.headers), body)
            text = json.dumps(header).encode()
            self.send_response(status)
            self.send_header(LENGTH, str(len(text)))
            self.send_header("Content-Length", str(len(text) + len(data)))
            self.end_headers()
            self.wfile.write(text + data)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(served: Served, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any], bytes]:
    if served.failures:
        return served.failures.pop(0), {"error": "told to fail"}, b""
    if served.key is not None and headers.get("Authorization") != f"Bearer {served.key}":
        return 401, {"error": "no key"}, b""
    name = path.split("/")[3]
    if name not in served.sessions:
        return 404, {"error": "unknown model"}, b""
    session, version = served.sessions[name]
    length = int(headers[LENGTH])
    feeds, start = {}, length
    for tensor in json.loads(body[:length])["inputs"]:
        size = tensor["parameters"]["binary_data_size"]
        feeds[tensor["name"]] = np.frombuffer(body[start : start + size], "<f4").reshape(tensor["shape"])
        start += size
    quantiles = session.run(feeds)["quantiles"]
    served.batches.append(len(quantiles))
    data = quantiles.tobytes()
    output: dict[str, Any] = {"name": "quantiles", "shape": list(quantiles.shape), "datatype": "FP32"}
    output["parameters"] = {"binary_data_size": len(data)}
    return 200, {"model_name": name, "model_version": str(version), "outputs": [output]}, data
