"""A classifier: one ONNX graph from a uint8 picture of any size to a score for each class.

Declared in parts like a detector: ``pre`` scales the short side to the network's and cuts the middle out, the core is
the network, and ``post`` takes the batch axis away. Scores are the softmax of the network and sum to one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import compose
from pydantic import BaseModel, ConfigDict, Field

from contracts import Axis, AxisName, DType, ModelError, Signature, TensorSpec

from .declaration import FAMILY_KEY, SIGNATURE_KEY
from .detector import rename_ends
from .graph import FLOAT, INT64, UINT8, GraphWriter

CLASSIFIER_KEY = "cityforge.classifier"


class ClassifierSpec(BaseModel):
    """All that surrounds a network that classifies.

    Attributes:
        family: name of the network, such as ``yolo11n-cls``.
        labels: class names in order.
        size_px: side of the square that the core takes.
        scale: factor on 0..255.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str = Field(min_length=1, max_length=64)
    labels: tuple[str, ...] = Field(min_length=2)
    size_px: int = Field(ge=32, le=4096)
    scale: float = Field(default=1 / 255, gt=0)


def classifier_signature(spec: ClassifierSpec) -> Signature:
    """Declare what goes in and what comes out."""
    image = TensorSpec(
        name="image",
        axes=(Axis(name=AxisName.HEIGHT), Axis(name=AxisName.WIDTH), Axis(name=AxisName.CHANNEL, size=3)),
        dtype=DType.UINT8,
        unit="RGB",
    )
    scores = TensorSpec(name="scores", axes=(Axis(name=AxisName.CLASS, size=len(spec.labels)),))
    return Signature(inputs=(image,), outputs=(scores,))


def export_classifier(spec: ClassifierSpec, core: onnx.ModelProto, path: Path) -> None:
    """Write a network as one classifier graph.

    Args:
        spec: the declaration.
        core: float32 (batch, 3, size_px, size_px) in, (batch, class) out; any tensor names.
        path: where the file goes.

    Raises:
        ModelError: if the network does not fit the spec, or the file cannot be written.
    """
    dims = [dim.dim_value for dim in core.graph.output[0].type.tensor_type.shape.dim]
    if dims[1:] != [len(spec.labels)]:
        message = (
            f"The network {spec.family!r} answers with shape {dims}, expected [batch, {len(spec.labels)}] for "
            f"{len(spec.labels)} labels. Correct the spec."
        )
        raise ModelError(message)
    opset = next(entry.version for entry in core.opset_import if entry.domain in ("", "ai.onnx"))
    try:
        onnx.save(_merge(spec, rename_ends(core, ("raw",)), opset), str(path))
    except (OSError, ValueError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as exc:
        message = f"The classifier {spec.family!r} cannot be written to {str(path)!r}: {exc}"
        raise ModelError(message) from exc


def _merge(spec: ClassifierSpec, core: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    front = compose.merge_models(
        _write_pre(spec, opset, core.ir_version), core, io_map=[("pixels", "pixels")], name=spec.family
    )
    model = compose.merge_models(
        front, _write_post(spec, opset, core.ir_version), io_map=[("raw", "raw")], name=spec.family
    )
    for key, value in (
        (SIGNATURE_KEY, classifier_signature(spec).model_dump_json()),
        (CLASSIFIER_KEY, spec.model_dump_json()),
        (FAMILY_KEY, spec.family),
    ):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model, full_check=True)
    return model


def _write_pre(spec: ClassifierSpec, opset: int, ir_version: int) -> onnx.ModelProto:
    """Write ``image`` uint8 (height, width, 3) → ``pixels`` (1, 3, size, size)."""
    graph = GraphWriter("pre", opset)
    image = graph.add_input("image", UINT8, ["height", "width", 3])
    size_hw = graph.slice(graph.apply("Shape", image), 0, 2, 0)
    given = graph.cast(size_hw, FLOAT)  # (2,) height, width
    shortest = graph.apply("Min", graph.slice(given, 0, 1, 0), graph.slice(given, 1, 2, 0))
    side = graph.constant([float(spec.size_px)])
    scaled = graph.apply("Round", graph.apply("Div", graph.apply("Mul", given, side), shortest))
    inner_hw = graph.cast(graph.apply("Max", scaled, side), INT64)  # (2,) neither below the side
    one = graph.constant([1], np.int64)
    planar = graph.apply("Transpose", image, perm=[2, 0, 1])  # (3, height, width)
    batched = graph.apply("Reshape", planar, graph.apply("Concat", graph.constant([1, 3], np.int64), size_hw, axis=0))
    sizes = graph.apply("Concat", one, graph.constant([3], np.int64), inner_hw, axis=0)
    unset = graph.constant([])
    resized = graph.apply(
        "Resize",
        graph.cast(batched, FLOAT),
        unset,
        unset,
        sizes,
        mode="linear",
        coordinate_transformation_mode="half_pixel",
        antialias=1,
    )  # (1, 3, inner height, inner width)
    rest = graph.apply("Sub", inner_hw, graph.constant([spec.size_px] * 2, np.int64))
    start = graph.apply("Div", rest, graph.constant([2, 2], np.int64))
    stop = graph.apply("Add", start, graph.constant([spec.size_px] * 2, np.int64))
    middle = graph.apply("Slice", resized, start, stop, graph.constant([2, 3], np.int64))
    whole = graph.apply("Reshape", middle, graph.constant([1, 3, spec.size_px, spec.size_px], np.int64))
    graph.apply("Mul", whole, graph.constant(spec.scale), to="pixels")
    graph.add_output("pixels", FLOAT, [1, 3, spec.size_px, spec.size_px])
    return graph.finish(ir_version)


def _write_post(spec: ClassifierSpec, opset: int, ir_version: int) -> onnx.ModelProto:
    """Write ``raw`` (1, class) → ``scores`` (class,)."""
    graph = GraphWriter("post", opset)
    raw = graph.add_input("raw", FLOAT, [1, len(spec.labels)])
    graph.apply("Reshape", raw, graph.constant([-1], np.int64), to="scores")
    graph.add_output("scores", FLOAT, [len(spec.labels)])
    return graph.finish(ir_version)
