"""Load from wrk, a generator of its own process, and what it measured."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
{headers}
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max, summary.bytes))
end
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, again and again.

    Attributes:
        path: of the URL.
        body: of the POST.
        headers: beside the content's length.
    """

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of the generator found.

    Attributes:
        requests_per_s: answers with a good status.
        p50_ms: median time of all answers.
        p99_ms: 99th percentile.
        failures: answers with another status, and connections that broke.
    """

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    failures: int


def run_load(url: str, request: Request, *, connections: int, seconds: float) -> Measured:
    """Ask one thing over so many connections for so long."""
    if shutil.which("wrk") is None:
        sys.exit("The load generator `wrk` is missing. `make peers-serving` installs it (Debian's package wrk).")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "body").write_bytes(request.body)
        headers = "\n".join(f'wrk.headers["{key}"] = "{value}"' for key, value in request.headers.items())
        (folder / "post.lua").write_text(_SCRIPT.format(body=folder / "body", headers=headers))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
        command += ["-s", str(folder / "post.lua"), url + request.path]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return _read(done.stdout)


def _read(output: str) -> Measured:
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if found is None:
        sys.exit(f"wrk gave no result:\n{output}")
    requests, duration_us, refused, broken, p50_us, _p90_us, p99_us, _max_us, _bytes = map(int, found[1].split())
    return Measured(
        requests_per_s=(requests - refused) / (duration_us / 1e6),
        p50_ms=p50_us / 1e3,
        p99_ms=p99_us / 1e3,
        failures=refused + broken,
    )
