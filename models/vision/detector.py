"""A detector: one ONNX graph from a uint8 picture of any size to boxes in pixels of that picture.

It is declared in three parts, so that pictures of mixed sizes still batch at the core:

    image ─▶ pre ─▶ pixels ─▶ core (the network) ─▶ raw ─▶ post ─▶ boxes, scores, classes
              └──────────▶ geometry ────────────────────────┘

``pre`` resizes, pads and scales; ``post`` decodes the head, suppresses overlaps and maps boxes back. The merged graph
is what is released; :func:`split_parts` gives the three back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import compose
from onnx.utils import Extractor
from pydantic import ValidationError

from contracts import ArtefactError, ModelError

from .declaration import DETECTOR_KEY, FAMILY_KEY, SIGNATURE, SIGNATURE_KEY, DetectorSpec, Head
from .postprocessing import write_post
from .preprocessing import write_pre

MINIMUM_OPSET = 11


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts of a detector, each a model of its own."""

    pre: onnx.ModelProto
    core: onnx.ModelProto
    post: onnx.ModelProto


def build_parts(spec: DetectorSpec, core: onnx.ModelProto) -> Parts:
    """Surround a network with what its spec says.

    Args:
        spec: the declaration.
        core: float32 (batch, 3, size_px, size_px) in, one raw output out; any tensor names.

    Raises:
        ModelError: if the network's input or output does not fit the spec.
    """
    _check_core(spec, core)
    opset = next(entry.version for entry in core.opset_import if entry.domain in ("", "ai.onnx"))
    renamed = rename_ends(core)
    ir_version = renamed.ir_version
    return Parts(write_pre(spec, opset, ir_version), renamed, write_post(spec, opset, ir_version))


def merge_parts(spec: DetectorSpec, parts: Parts) -> onnx.ModelProto:
    """Join the three parts into the one graph that is released, its declaration in the metadata."""
    front = compose.merge_models(
        parts.pre, parts.core, io_map=[("pixels", "pixels")], outputs=["raw", "geometry"], name=spec.family
    )
    model = compose.merge_models(front, parts.post, io_map=[("raw", "raw"), ("geometry", "geometry")], name=spec.family)
    for key, value in (
        (SIGNATURE_KEY, SIGNATURE.model_dump_json()),
        (DETECTOR_KEY, spec.model_dump_json()),
        (FAMILY_KEY, spec.family),
    ):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model, full_check=True)
    return model


def export_detector(spec: DetectorSpec, core: onnx.ModelProto, path: Path) -> None:
    """Write a network as one detector graph.

    Raises:
        ModelError: if the network does not fit the spec, or the file cannot be written.
    """
    try:
        onnx.save(merge_parts(spec, build_parts(spec, core)), str(path))
    except (OSError, ValueError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as exc:
        message = f"The detector {spec.family!r} cannot be written to {str(path)!r}: {exc}"
        raise ModelError(message) from exc


def read_detector(path: Path) -> tuple[DetectorSpec, onnx.ModelProto]:
    """Read a detector graph with its declaration.

    Raises:
        ArtefactError: if the file is no ONNX graph or no detector of ours.
    """
    model = load_graph(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if DETECTOR_KEY not in metadata:
        message = f"{str(path)!r} declares no detector. Import it with a detector spec first."
        raise ArtefactError(message)
    try:
        return DetectorSpec.model_validate_json(metadata[DETECTOR_KEY]), model
    except ValidationError as exc:
        message = f"The detector declaration of {str(path)!r} cannot be used: {exc}"
        raise ArtefactError(message) from exc


def split_parts(model: onnx.ModelProto) -> Parts:
    """Cut a merged graph into its three parts again, at the tensors ``pixels``, ``geometry`` and ``raw``."""
    extractor = Extractor(model)
    core = extractor.extract_model(["pixels"], ["raw"])
    del core.graph.value_info[:]  # inferred for the single picture of the merged graph
    for value in (*core.graph.input, *core.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return Parts(
        extractor.extract_model(["image"], ["pixels", "geometry"]),
        core,
        extractor.extract_model(["raw", "geometry"], ["boxes", "scores", "classes"]),
    )


def load_graph(path: Path) -> onnx.ModelProto:
    """Load an ONNX file.

    Raises:
        ArtefactError: if it is missing or corrupt.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        onnx.checker.check_model(model)
    except (OSError, DecodeError, onnx.checker.ValidationError) as exc:
        message = f"{str(path)!r} cannot be read as an ONNX graph: {exc}"
        raise ArtefactError(message) from exc
    return model


def _check_core(spec: DetectorSpec, core: onnx.ModelProto) -> None:
    opset = next((entry.version for entry in core.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < MINIMUM_OPSET:
        message = f"The network {spec.family!r} has opset {opset}; at least {MINIMUM_OPSET} is needed. Export it again."
        raise ModelError(message)
    inputs, outputs = _ends(core)
    if len(inputs) != 1 or len(outputs) != 1:
        message = f"The network {spec.family!r} has {len(inputs)} inputs and {len(outputs)} outputs; give one of each."
        raise ModelError(message)
    for value, expected in ((inputs[0], _pixels_shape(spec)), (outputs[0], _raw_shape(spec))):
        dims = value.type.tensor_type.shape.dim
        given = [dim.dim_value or None for dim in dims]
        fits = len(given) == len(expected) and all(
            want in (None, have) for want, have in zip(expected[1:], given[1:], strict=True)
        )
        if not fits:
            message = (
                f"The tensor {value.name!r} of the network {spec.family!r} has shape {given}, expected {expected} for "
                f"{len(spec.labels)} labels at {spec.size_px} px with a {spec.head} head. Correct the spec."
            )
            raise ModelError(message)


def _pixels_shape(spec: DetectorSpec) -> list[int | None]:
    return [None, 3, spec.size_px, spec.size_px]


def _raw_shape(spec: DetectorSpec) -> list[int | None]:
    if spec.head is Head.YOLOX:
        return [None, None, 5 + len(spec.labels)]
    return [None, 4 + len(spec.labels), None]


def _ends(core: onnx.ModelProto) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    weights = {tensor.name for tensor in core.graph.initializer}
    return [value for value in core.graph.input if value.name not in weights], list(core.graph.output)


def rename_ends(core: onnx.ModelProto, outputs: tuple[str, ...] = ("raw",)) -> onnx.ModelProto:
    """Prefix every inner name of a network with ``core/`` and call its input ``pixels``, its outputs as given."""
    given_inputs, given_outputs = _ends(core)
    old_names = {f"core/{given_inputs[0].name}": "pixels"}
    old_names |= {f"core/{value.name}": name for value, name in zip(given_outputs, outputs, strict=True)}
    model = compose.add_prefix(core, prefix="core/")
    for node in model.graph.node:
        node.input[:] = [old_names.get(name, name) for name in node.input]
        node.output[:] = [old_names.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = old_names.get(value.name, value.name)
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(kept)  # weights that are inputs too would stay inputs of the merged graph
    return model
