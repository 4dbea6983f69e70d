"""What the protocol tells of the server and its models, from their manifests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from contracts import AxisName, ReleaseManifest, TensorSpec

SERVER_NAME = "cityforge"
EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "parameters", "statistics")
MAXIMUM_BATCH = 4096
"""Rows that a load generator may put into one request."""
_PLATFORM = "onnxruntime_onnx"
_DYNAMIC = -1


def describe_server(version: str) -> dict[str, Any]:
    """Return the server's metadata."""
    return {"name": SERVER_NAME, "version": version, "extensions": list(EXTENSIONS)}


def describe_model(manifest: ReleaseManifest, versions: Sequence[int]) -> dict[str, Any]:
    """Return a model's metadata."""
    signature = manifest.signature
    return {
        "name": manifest.name,
        "versions": [str(version) for version in versions],
        "platform": _PLATFORM,
        "inputs": [_describe_tensor(spec) for spec in signature.inputs],
        "outputs": [_describe_tensor(spec) for spec in signature.outputs],
    }


def model_config(manifest: ReleaseManifest, max_batch: int) -> dict[str, Any]:
    """Return a model's configuration, as load generators ask for it before they begin."""
    signature = manifest.signature
    return {
        "name": manifest.name,
        "platform": _PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": max_batch,
        "input": [_configure_tensor(spec) for spec in signature.inputs],
        "output": [_configure_tensor(spec) for spec in signature.outputs],
        "parameters": {"labels": {"string_value": json.dumps(manifest.labels)}} if manifest.labels else {},
    }


def _describe_tensor(spec: TensorSpec) -> dict[str, Any]:
    shape = [_DYNAMIC if size is None else size for size in spec.shape]
    return {"name": spec.name, "datatype": spec.dtype.open_inference_name, "shape": shape}


def _configure_tensor(spec: TensorSpec) -> dict[str, Any]:
    dims = [axis.size or _DYNAMIC for axis in spec.axes if axis.name is not AxisName.BATCH or axis.size is not None]
    name = spec.dtype.open_inference_name
    return {"name": spec.name, "data_type": f"TYPE_{name}", "dims": dims}
