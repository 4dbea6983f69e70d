"""A segmenter: one ONNX graph from a uint8 picture of any size to boxes in its pixels, each with a mask of its inside.

Declared in parts like a detector. A mask is a small picture (28 by 28) that is stretched over its box, as Mask R-CNN
has it (He et al. 2017, arXiv:1703.06870): masks of a picture of any size stay small, and an application draws only
those it wants. The network gives coefficients and prototypes (YOLACT, Bolya et al. 2019, arXiv:1904.02689).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import compose

from contracts import Axis, AxisName, ModelError, Signature, TensorSpec

from .declaration import FAMILY_KEY, SIGNATURE, SIGNATURE_KEY, DetectorSpec
from .detector import rename_ends
from .graph import FLOAT, GraphWriter
from .postprocessing import decode_boxes, map_back, suppress, write_best
from .preprocessing import write_pre

SEGMENTER_KEY = "cityforge.segmenter"
MASK_PX = 28
MINIMUM_OPSET = 16
PROTOTYPE_STRIDE = 4

SEGMENT_SIGNATURE = Signature(
    inputs=SIGNATURE.inputs,
    outputs=(
        *SIGNATURE.outputs,
        TensorSpec(
            name="masks",
            axes=(
                Axis(name=AxisName.BOX),
                Axis(name=AxisName.HEIGHT, size=MASK_PX),
                Axis(name=AxisName.WIDTH, size=MASK_PX),
            ),
        ),
    ),
)
"""``masks`` lie within 0 and 1; a mask is stretched over its box, and cut at a half."""


def export_segmenter(spec: DetectorSpec, core: onnx.ModelProto, path: Path) -> None:
    """Write a network as one segmenter graph.

    Args:
        spec: the declaration; its head is ultralytics'.
        core: float32 (batch, 3, size_px, size_px) in; (batch, 4 + class + mask, anchor) and
            (batch, mask, size_px / 4, size_px / 4) out, in this order; any tensor names.
        path: where the file goes.

    Raises:
        ModelError: if the network does not fit the spec, or the file cannot be written.
    """
    opset = next(entry.version for entry in core.opset_import if entry.domain in ("", "ai.onnx"))
    mask_count = _check(spec, core, opset)
    try:
        onnx.save(_merge(spec, rename_ends(core, ("raw", "prototypes")), opset, mask_count), str(path))
    except (OSError, ValueError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as exc:
        message = f"The segmenter {spec.family!r} cannot be written to {str(path)!r}: {exc}"
        raise ModelError(message) from exc


def _check(spec: DetectorSpec, core: onnx.ModelProto, opset: int) -> int:
    """Return how many prototypes there are."""
    shapes = [[dim.dim_value for dim in output.type.tensor_type.shape.dim] for output in core.graph.output]
    side = spec.size_px // PROTOTYPE_STRIDE
    fits = (
        opset >= MINIMUM_OPSET
        and [len(shape) for shape in shapes] == [3, 4]
        and shapes[0][1] == 4 + len(spec.labels) + shapes[1][1]
        and shapes[1][2:] == [side, side]
    )
    if not fits:
        message = (
            f"The network {spec.family!r} (opset {opset}) answers with shapes {shapes}, expected [batch, "
            f"{4 + len(spec.labels)} + mask, anchor] and [batch, mask, {side}, {side}] from opset {MINIMUM_OPSET} on. "
            "Correct the spec."
        )
        raise ModelError(message)
    return shapes[1][1]


def _merge(spec: DetectorSpec, core: onnx.ModelProto, opset: int, mask_count: int) -> onnx.ModelProto:
    front = compose.merge_models(
        write_pre(spec, opset, core.ir_version),
        core,
        io_map=[("pixels", "pixels")],
        outputs=["raw", "prototypes", "geometry"],
        name=spec.family,
    )
    names = ("raw", "prototypes", "geometry")
    model = compose.merge_models(
        front,
        _write_post(spec, opset, core.ir_version, mask_count),
        io_map=[(name, name) for name in names],
        name=spec.family,
    )
    for key, value in (
        (SIGNATURE_KEY, SEGMENT_SIGNATURE.model_dump_json()),
        (SEGMENTER_KEY, spec.model_dump_json()),
        (FAMILY_KEY, spec.family),
    ):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model, full_check=True)
    return model


def _write_post(spec: DetectorSpec, opset: int, ir_version: int, mask_count: int) -> onnx.ModelProto:
    """Write ``raw``, ``prototypes`` and ``geometry`` of one picture → boxes, scores, classes and masks."""
    graph = GraphWriter("post", opset)
    classes, side = len(spec.labels), spec.size_px // PROTOTYPE_STRIDE
    raw = graph.add_input("raw", FLOAT, [1, 4 + classes + mask_count, "anchor"])
    prototypes = graph.add_input("prototypes", FLOAT, [1, mask_count, side, side])
    geometry = graph.add_input("geometry", FLOAT, [6])
    centres, scores = decode_boxes(graph, spec, raw)
    best = suppress(graph, spec, centres, scores)
    map_back(graph, best.boxes, geometry)
    write_best(graph, best)
    _write_masks(graph, raw, prototypes, geometry, best.anchors, first=4 + classes, count=mask_count)
    graph.add_output("masks", FLOAT, ["box", MASK_PX, MASK_PX])
    return graph.finish(ir_version)


def _write_masks(
    graph: GraphWriter, raw: str, prototypes: str, geometry: str, anchors: str, *, first: int, count: int
) -> None:
    """Cut each box out of the prototypes and weigh them; being linear, cutting comes first and costs less."""
    factor, padding = graph.slice(geometry, 0, 2, 0), graph.slice(geometry, 2, 4, 0)
    four = [graph.apply("Concat", value, value, axis=0) for value in (factor, padding)]
    in_input = graph.apply("Add", graph.apply("Mul", "boxes", four[0]), four[1])  # (box, 4) pixels of the input
    zeros = graph.apply("Mul", anchors, graph.constant(0, np.int64))  # every box is of the one picture
    cut = graph.apply(
        "RoiAlign",
        prototypes,
        in_input,
        zeros,
        output_height=MASK_PX,
        output_width=MASK_PX,
        sampling_ratio=2,
        spatial_scale=1 / PROTOTYPE_STRIDE,
    )  # (box, mask, 28, 28)
    table = graph.apply("Transpose", graph.slice(raw, first, first + count, 1), perm=[0, 2, 1])
    flat = graph.apply("Reshape", table, graph.constant([-1, count], np.int64))  # (anchor, mask)
    weights = graph.apply("Gather", flat, anchors, axis=0)  # (box, mask)
    column = graph.apply("Reshape", weights, graph.constant([0, count, 1, 1], np.int64))
    weighed = graph.apply("ReduceSum", graph.apply("Mul", cut, column), graph.constant([1], np.int64), keepdims=0)
    graph.apply("Sigmoid", weighed, to="masks")
