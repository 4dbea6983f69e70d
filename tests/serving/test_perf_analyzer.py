"""NVIDIA's load generator for servers of this protocol runs against ours, over HTTP, gRPC and gRPC's stream."""

import subprocess
from pathlib import Path

import pytest

from .city import populated
from .running import ROOT, free_port, run_server, settings_of

PROGRAM = ROOT / ".venv-judges" / "bin" / "perf_analyzer"
OPTIONS = ("-m", "mean", "-b", "2", "--request-count", "300")


def runs() -> bool:
    if not PROGRAM.exists():
        return False
    return subprocess.run([str(PROGRAM), "--version"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not runs(), reason="perf-analyzer is installed by `make judges` where glibc is 2.38 or newer")
def test_it_measures_and_every_answer_is_one(tmp_path: Path):
    """Open access, since over gRPC it asks for the metadata without the headers that it is given."""
    city = populated(tmp_path)
    settings = settings_of(
        city.store_url, city.releases_url, free_port(), grpc_port=free_port(), keys=(), open_access=True
    )
    with run_server(settings, tmp_path / "log") as server:
        over_http, over_grpc = f"127.0.0.1:{server.port}", f"127.0.0.1:{server.grpc_port}"
        for way in (
            ["-i", "http", "-u", over_http, "--concurrency-range", "4"],
            ["-i", "grpc", "-u", over_grpc],
            ["-i", "grpc", "-u", over_grpc, "--streaming", "--async"],
        ):
            done = subprocess.run(
                [str(PROGRAM), *OPTIONS, *way], capture_output=True, text=True, cwd=tmp_path, check=False
            )
            assert "Inferences/Second vs. Client" in done.stdout, done.stdout + done.stderr
            assert "Successful request count:" in done.stdout
            assert "error" not in done.stderr.lower()
        with server.client(None) as client:
            (told,) = client.get("/v2/models/mean/stats").json()["model_stats"]
            assert told["inference_stats"]["success"]["count"] >= 3 * 300
            assert told["inference_stats"]["fail"]["count"] == 0
    city.close()
