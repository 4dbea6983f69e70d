from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpu import open_session

from .conftest import Workbench

REGISTER = """
import sys
from pathlib import Path
from contracts import Task
from registry import ManifestDraft, Registry, at_most
from store import ReleaseStore, Store

state, onnx = Path(sys.argv[1]), Path(sys.argv[2])
with Store.open(f"sqlite:///{state / 'store.db'}") as store:
    registry = Registry(f"sqlite:///{state / 'mlflow.db'}", store, ReleaseStore(state / "releases"))
    with registry.run("water", "ridge", parameters={}) as run:
        gates = (at_most("parity", 0.0, 1.0, "of nothing"),)
        version = registry.register("flow.ridge", onnx, ManifestDraft(task=Task.FORECAST), gates, run)
    registry.promote(version.name, version.version, "tester")
"""


def test_mlflow_and_the_release_hold_the_very_bytes(bench: Workbench) -> None:
    version = bench.register()
    found = bench.client.get_model_version(version.name, str(version.version))
    kept = Path(found.source.removeprefix("file://")) / "model.onnx"
    for file in (kept, bench.releases.path(version.sha256)):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == version.sha256


@pytest.mark.filterwarnings("ignore::UserWarning")  # mlflow.pyfunc warns about its own modules
def test_mlflow_itself_loads_and_runs_it(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    version = bench.register()
    bench.registry.promote(version.name, version.version, "tester")
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", bench.tracking_uri)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", bench.tracking_uri)
    request = np.arange(8, dtype=np.float32).reshape(2, 4)
    loaded = mlflow.pyfunc.load_model("models:/flow.ridge@champion")
    expected = open_session(bench.releases.path(version.sha256)).run({"context": request})
    np.testing.assert_allclose(loaded.predict(request)["quantiles"], expected["quantiles"], rtol=1e-6)
    assert loaded.metadata.signature.inputs.input_names() == ["context"]


def test_a_plain_process_registers_and_leaves_nothing_where_it_stands(bench: Workbench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    onnx = bench.folder / "model.onnx"
    bench.register()
    onnx.write_bytes((bench.folder / "flow.ridge-1.onnx").read_bytes())
    command = [sys.executable, "-W", "error", "-c", REGISTER, str(bench.folder), str(onnx)]
    answer = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout + answer.stderr == ""
    assert list(elsewhere.iterdir()) == []
    assert bench.alias() == 2
