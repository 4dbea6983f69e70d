"""The part after the core: decoding of the head, suppression of overlaps and the way back to the picture's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from .declaration import DetectorSpec, Head
from .graph import FLOAT, INT64, GraphWriter

STRIDES_PX = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class Best:
    """Names of the tensors of the boxes that are kept, best first.

    Attributes:
        boxes: (box, 4) cx cy w h in input pixels.
        scores: (box,).
        classes: (box,).
        anchors: (box,) where each comes from.
    """

    boxes: str
    scores: str
    classes: str
    anchors: str


def write_post(spec: DetectorSpec, opset: int, ir_version: int) -> onnx.ModelProto:
    """Write ``raw`` of one picture and its ``geometry`` (6,) → ``boxes`` (box, 4), ``scores``, ``classes`` (box,)."""
    graph = GraphWriter("post", opset)
    shape: list[int | str] = (
        [1, "anchor", 5 + len(spec.labels)] if spec.head is Head.YOLOX else [1, 4 + len(spec.labels), "anchor"]
    )
    raw = graph.add_input("raw", FLOAT, shape)
    geometry = graph.add_input("geometry", FLOAT, [6])
    centres, scores = decode_boxes(graph, spec, raw)
    best = suppress(graph, spec, centres, scores)
    map_back(graph, best.boxes, geometry)
    write_best(graph, best)
    return graph.finish(ir_version)


def write_best(graph: GraphWriter, best: Best) -> None:
    """Declare ``boxes`` (which :func:`map_back` made), ``scores`` and ``classes`` as outputs."""
    graph.apply("Identity", best.scores, to="scores")
    graph.apply("Identity", best.classes, to="classes")
    graph.add_output("boxes", FLOAT, ["box", 4])
    graph.add_output("scores", FLOAT, ["box"])
    graph.add_output("classes", INT64, ["box"])


def decode_boxes(graph: GraphWriter, spec: DetectorSpec, raw: str) -> tuple[str, str]:
    """Read a head; returns boxes (1, anchor, 4) cx cy w h in input pixels and scores (1, class, anchor)."""
    decode = _decode_yolox if spec.head is Head.YOLOX else _decode_ultralytics
    return decode(graph, spec, raw)


def _decode_ultralytics(graph: GraphWriter, spec: DetectorSpec, raw: str) -> tuple[str, str]:
    boxes = graph.apply("Transpose", graph.slice(raw, 0, 4, 1), perm=[0, 2, 1])
    return boxes, graph.slice(raw, 4, 4 + len(spec.labels), 1)


def _decode_yolox(graph: GraphWriter, spec: DetectorSpec, raw: str) -> tuple[str, str]:
    offsets, strides = yolox_cells(spec.size_px)
    corners = graph.apply("Add", graph.slice(raw, 0, 2, 2), graph.constant(offsets[None]))
    stride = graph.constant(strides[None, :, None])
    centre = graph.apply("Mul", corners, stride)
    size = graph.apply("Mul", graph.apply("Exp", graph.slice(raw, 2, 4, 2)), stride)
    scores = graph.apply("Mul", graph.slice(raw, 4, 5, 2), graph.slice(raw, 5, 5 + len(spec.labels), 2))
    return graph.apply("Concat", centre, size, axis=2), graph.apply("Transpose", scores, perm=[0, 2, 1])


def yolox_cells(size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets (anchor, 2) as x, y in cells and strides (anchor,) in pixels, finest level first."""
    offsets, strides = [], []
    for stride in STRIDES_PX:
        cells = size_px // stride
        y, x = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
        offsets.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full(cells * cells, stride))
    return np.concatenate(offsets).astype(np.float32), np.concatenate(strides).astype(np.float32)


def suppress(graph: GraphWriter, spec: DetectorSpec, centres: str, scores: str) -> Best:
    """Keep the best boxes of each class, then the best of all."""
    kept = graph.apply(
        "NonMaxSuppression",
        centres,
        scores,
        graph.constant([spec.maximum_boxes], np.int64),
        graph.constant([spec.iou_threshold]),
        graph.constant([spec.score_floor]),
        center_point_box=1,
    )  # (kept, 3): picture, class, anchor
    kept_scores = graph.apply("GatherND", scores, kept)  # (kept,)
    count = graph.cast(graph.slice(graph.apply("Shape", kept), 0, 1, 0), FLOAT)
    wanted = graph.cast(graph.apply("Min", count, graph.constant([float(spec.maximum_boxes)])), INT64)
    best_scores, order = graph.apply_many("TopK", kept_scores, wanted, outputs=2, axis=0)
    best = graph.apply("Gather", kept, order, axis=0)
    flat = graph.constant([-1], np.int64)
    classes = graph.apply("Reshape", graph.slice(best, 1, 2, 1), flat)
    anchors = graph.apply("Reshape", graph.slice(best, 2, 3, 1), flat)
    table = graph.apply("Reshape", centres, graph.constant([-1, 4], np.int64))
    return Best(graph.apply("Gather", table, anchors, axis=0), best_scores, classes, anchors)


def map_back(graph: GraphWriter, best: str, geometry: str) -> None:
    """Write ``boxes``: corners in pixels of the picture, within it."""
    half = graph.apply("Mul", graph.slice(best, 2, 4, 1), graph.constant(0.5))
    centre = graph.slice(best, 0, 2, 1)
    corners = (graph.apply("Sub", centre, half), graph.apply("Add", centre, half))
    factor, padding, limit = (graph.slice(geometry, start, start + 2, 0) for start in (0, 2, 4))
    zero = graph.constant([0.0])
    mapped = [
        graph.apply(
            "Min",
            graph.apply("Max", graph.apply("Div", graph.apply("Sub", corner, padding), factor), zero),
            limit,
        )
        for corner in corners
    ]
    graph.apply("Concat", *mapped, axis=1, to="boxes")
