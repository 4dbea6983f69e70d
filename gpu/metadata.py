"""What a graph says of itself: its signature and forecast spec in the ONNX metadata, or read from its shapes.

Not a parser of ONNX files: it reads what an open session reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnxruntime import NodeArg
from pydantic import ValidationError

from contracts import ArtefactError, Axis, AxisName, DType, ForecastSpec, Signature, TensorSpec

SIGNATURE_KEY = "cityforge.signature"
FORECAST_KEY = "cityforge.forecast"

_DTYPES = {
    "tensor(float)": DType.FLOAT32,
    "tensor(float16)": DType.FLOAT16,
    "tensor(double)": DType.FLOAT64,
    "tensor(int64)": DType.INT64,
    "tensor(int32)": DType.INT32,
    "tensor(int8)": DType.INT8,
    "tensor(uint8)": DType.UINT8,
    "tensor(bool)": DType.BOOL,
}
_PICTURE_AXES = (AxisName.BATCH, AxisName.CHANNEL, AxisName.HEIGHT, AxisName.WIDTH)


def read_signature(
    metadata: Mapping[str, str], inputs: Iterable[NodeArg], outputs: Iterable[NodeArg], *, origin: str
) -> Signature:
    """Return the declared signature, checked against the graph, or the one the graph's shapes tell.

    Args:
        metadata: the custom metadata of the graph.
        inputs: the graph's inputs as the session reports them.
        outputs: its outputs.
        origin: what to call the file in messages.

    Raises:
        ArtefactError: if the declaration is broken, contradicts the graph, or a tensor type is not supported.
    """
    try:
        derived = Signature(
            inputs=tuple(_derive_spec(node, origin) for node in inputs),
            outputs=tuple(_derive_spec(node, origin) for node in outputs),
        )
        if SIGNATURE_KEY not in metadata:
            return derived
        declared = Signature.model_validate_json(metadata[SIGNATURE_KEY])
    except ValidationError as exc:
        message = f"The signature of {origin} cannot be used: {exc}. Export the model again."
        raise ArtefactError(message) from exc
    _check_agreement(declared, derived, origin)
    return declared


def read_forecast(metadata: Mapping[str, str], *, origin: str) -> ForecastSpec | None:
    """Return the forecast spec that the graph carries, or None where it carries none.

    Raises:
        ArtefactError: if it carries one that is broken.
    """
    if FORECAST_KEY not in metadata:
        return None
    try:
        return ForecastSpec.model_validate_json(metadata[FORECAST_KEY])
    except ValidationError as exc:
        message = f"The forecast spec of {origin} cannot be used: {exc}. Export the model again."
        raise ArtefactError(message) from exc


def _derive_spec(node: NodeArg, origin: str) -> TensorSpec:
    dtype = _DTYPES.get(node.type)
    if dtype is None:
        message = f"Tensor {node.name!r} of {origin} has type {node.type!r}. Use one of {sorted(_DTYPES)}."
        raise ArtefactError(message)
    rank = len(node.shape)
    axes = tuple(_derive_axis(index, rank, size) for index, size in enumerate(node.shape))
    return TensorSpec(name=node.name, axes=axes, dtype=dtype)


def _derive_axis(index: int, rank: int, size: int | str | None) -> Axis:
    length = size if isinstance(size, int) and size > 0 else None
    if isinstance(size, str) and size in set(AxisName):
        return Axis(name=AxisName(size))
    if rank == len(_PICTURE_AXES):
        return Axis(name=_PICTURE_AXES[index], size=length)
    return Axis(name=AxisName.FEATURE if index else AxisName.BATCH, size=length)


def _check_agreement(declared: Signature, derived: Signature, origin: str) -> None:
    for side in ("inputs", "outputs"):
        said = {spec.name: spec for spec in getattr(declared, side)}
        found = {spec.name: spec for spec in getattr(derived, side)}
        same = said.keys() == found.keys() and all(_agrees(said[name], found[name]) for name in said)
        if not same:
            message = (
                f"The signature of {origin} declares the {side} {_describe(said)}, but its graph has "
                f"{_describe(found)}. Export the model again."
            )
            raise ArtefactError(message)


def _agrees(declared: TensorSpec, derived: TensorSpec) -> bool:
    return (
        declared.dtype == derived.dtype
        and len(declared.axes) == len(derived.axes)
        and all(
            said == found or said is None or found is None
            for said, found in zip(declared.shape, derived.shape, strict=True)
        )
    )


def _describe(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(f"{name}: {spec.dtype}{list(spec.shape)}" for name, spec in sorted(specs.items()))
