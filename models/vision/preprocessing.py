"""The part before the core: letterbox, channel order and scale, as operators of ONNX.

Resizes with plain bilinear sampling and pads with grey 114, as the networks were trained.
"""

from __future__ import annotations

import numpy as np
import onnx

from .declaration import ChannelOrder, DetectorSpec
from .graph import FLOAT, INT64, UINT8, GraphWriter

PAD_GREY = 114


def write_pre(spec: DetectorSpec, opset: int, ir_version: int) -> onnx.ModelProto:
    """Write ``image`` uint8 (height, width, 3) → ``pixels`` (1, 3, size, size) and ``geometry`` (6,).

    The geometry is: factor of x, factor of y, left padding, top padding, width, height (pixels).
    """
    graph = GraphWriter("pre", opset)
    image = graph.add_input("image", UINT8, ["height", "width", 3])
    size_hw = graph.slice(graph.apply("Shape", image), 0, 2, 0)
    given = graph.cast(size_hw, FLOAT)  # (2,) height, width
    side = graph.constant([float(spec.size_px)] * 2)
    ratios = graph.apply("Div", side, given)
    ratio = graph.apply("Min", graph.slice(ratios, 0, 1, 0), graph.slice(ratios, 1, 2, 0))
    rounded = graph.apply("Round", graph.apply("Mul", given, ratio))
    inner = graph.apply("Min", graph.apply("Max", rounded, graph.constant([1.0])), side)  # (2,) height, width
    inner_hw = graph.cast(inner, INT64)
    resized = _resize(graph, image, inner_hw)
    rest = graph.apply("Sub", side, inner)
    before = (
        graph.apply("Floor", graph.apply("Div", rest, graph.constant([2.0])))
        if spec.centred
        else graph.constant([0.0, 0.0])
    )
    padded = _pad(graph, resized, before, graph.apply("Sub", rest, before))
    _normalise(graph, spec, padded)
    _describe_geometry(graph, given, inner, before)
    graph.add_output("pixels", FLOAT, [1, 3, spec.size_px, spec.size_px])
    graph.add_output("geometry", FLOAT, [6])
    return graph.finish(ir_version)


def _resize(graph: GraphWriter, image: str, inner_hw: str) -> str:
    one = graph.constant([1], np.int64)
    batched = graph.apply(
        "Reshape",
        image,
        graph.apply("Concat", one, graph.apply("Shape", image), axis=0),
    )  # (1, height, width, 3)
    sizes = graph.apply("Concat", one, inner_hw, graph.constant([3], np.int64), axis=0)
    unset = graph.constant([])  # opset 11 does not let the scales be left out, only be empty
    return graph.apply(
        "Resize", batched, unset, unset, sizes, mode="linear", coordinate_transformation_mode="half_pixel"
    )  # (1, inner height, inner width, 3), still uint8


def _pad(graph: GraphWriter, resized: str, before: str, after: str) -> str:
    zero = graph.constant([0], np.int64)
    before_hw, after_hw = graph.cast(before, INT64), graph.cast(after, INT64)
    pads = graph.apply("Concat", zero, before_hw, zero, zero, after_hw, zero, axis=0)
    return graph.apply("Pad", resized, pads, graph.constant(PAD_GREY, np.uint8))


def _normalise(graph: GraphWriter, spec: DetectorSpec, padded: str) -> None:
    ordered = padded
    if spec.channel_order is ChannelOrder.BGR:
        ordered = graph.apply("Gather", padded, graph.constant([2, 1, 0], np.int64), axis=3)
    planar = graph.apply("Transpose", ordered, perm=[0, 3, 1, 2])  # (1, 3, size, size)
    whole = graph.apply("Reshape", planar, graph.constant([1, 3, spec.size_px, spec.size_px], np.int64))
    graph.apply("Mul", graph.cast(whole, FLOAT), graph.constant(spec.scale), to="pixels")


def _describe_geometry(graph: GraphWriter, given: str, inner: str, before: str) -> None:
    swap = graph.constant([1, 0], np.int64)  # height, width → x, y
    parts = [
        graph.apply("Gather", graph.apply("Div", inner, given), swap, axis=0),
        graph.apply("Gather", before, swap, axis=0),
        graph.apply("Gather", given, swap, axis=0),
    ]
    graph.apply("Concat", *parts, axis=0, to="geometry")
