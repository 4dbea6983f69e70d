"""KServe's own clients, REST and gRPC, unchanged, in an environment of their own."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from serving import Role

from .running import KEYS, ROOT, Server

PYTHON = ROOT / ".venv-judges" / "bin" / "python"
PROGRAM = Path(__file__).parent / "judges" / "kserve_clients.py"
ANSWER = {"id": "7", "version": "1", "shape": [2, 3, 3], "medians": [3.5, 11.5]}


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="KServe's clients are installed by `make judges`")
def test_kserves_clients_work_unchanged(server: Server, tmp_path: Path):
    command = [str(PYTHON), "-P", str(PROGRAM), server.url, f"127.0.0.1:{server.grpc_port}"]
    environment = os.environ | {"KEY": KEYS[Role.VIEWER], "PYTHONPATH": ""}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    refusal = told["rest"].pop("refusal")
    assert "No model 'nothing'" in refusal
    assert told["rest"] == {
        "live": True,
        "ready": True,
        "model": True,
        "nothing": False,
        "json": ANSWER | {"version": None},  # over REST it does not read the version that it is told
        "binary": ANSWER | {"version": None},
    }
    assert told["grpc"] == {"live": True, "ready": True, "model": True, "json": ANSWER, "binary": ANSWER}
