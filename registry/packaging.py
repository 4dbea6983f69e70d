"""A model in MLflow's format around the very file that was exported: byte for byte, so that its sha256 stays.

MLflow's own writer parses the graph and writes it anew, and splits large weights off. Here the file is copied and
described; ``mlflow.onnx.load_model`` and ``mlflow.pyfunc.load_model`` read it like any other.
"""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts import Signature, TensorSpec

from .tracking import own_warnings_off

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

MODEL_FILE = "model.onnx"
RULES_FILE = "rules.json"
_REQUIREMENTS = ("numpy", "onnx", "onnxruntime")


def write_package(folder: Path, onnx: Path, signature: Signature, logged: LoggedModel) -> None:
    """Write the files of a logged model.

    Args:
        folder: an empty folder.
        onnx: the exported file.
        signature: its inputs and outputs.
        logged: the entry in MLflow that the files belong to.
    """
    with own_warnings_off():
        from mlflow.models import Model, ModelSignature

    if not signature.inputs:
        _write_rules(folder, onnx, logged)
        return
    shutil.copyfile(onnx, folder / MODEL_FILE)
    requirements = "".join(f"{name}=={version(name)}\n" for name in _REQUIREMENTS)
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    environment = f"python: '{platform.python_version()}'\ndependencies:\n- -r requirements.txt\n"
    (folder / "python_env.yaml").write_text(environment, encoding="utf-8")
    model = Model(
        run_id=logged.source_run_id,
        model_id=logged.model_id,
        artifact_path=logged.artifact_location,
        signature=ModelSignature(inputs=_schema(signature.inputs), outputs=_schema(signature.outputs)),
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.onnx",
        python_version=platform.python_version(),
        data=MODEL_FILE,
        env={"virtualenv": "python_env.yaml"},
    )
    model.add_flavor(
        "onnx", onnx_version=version("onnx"), data=MODEL_FILE, providers=["CPUExecutionProvider"], code=None
    )
    model.model_size_bytes = onnx.stat().st_size
    model.save(str(folder / "MLmodel"))


def _write_rules(folder: Path, bundle: Path, logged: LoggedModel) -> None:
    """Write a set of rules: data under a flavor of our own, which MLflow shows and cannot run."""
    from mlflow.models import Model  # loaded by now

    shutil.copyfile(bundle, folder / RULES_FILE)
    model = Model(run_id=logged.source_run_id, model_id=logged.model_id, artifact_path=logged.artifact_location)
    model.add_flavor("cityforge_rules", data=RULES_FILE)
    model.model_size_bytes = bundle.stat().st_size
    model.save(str(folder / "MLmodel"))


def _schema(specs: tuple[TensorSpec, ...]) -> Any:
    from mlflow.types import Schema
    from mlflow.types import TensorSpec as MlflowTensor

    return Schema(
        [
            MlflowTensor(np.dtype(spec.dtype.value), tuple(size or -1 for size in spec.shape), spec.name)
            for spec in specs
        ]
    )
