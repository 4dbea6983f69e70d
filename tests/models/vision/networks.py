"""Networks that say what a test tells them to: the core of a detector with a fixed answer."""

import numpy as np
import onnx

from models.vision.graph import FLOAT, GraphWriter


def answering(raw: np.ndarray, size_px: int, opset: int = 18) -> onnx.ModelProto:
    """A core that answers ``raw`` (without batch axis) for every picture, plus nothing of the pixels."""
    graph = GraphWriter("net", opset)
    pixels = graph.add_input("in", FLOAT, ["batch", 3, size_px, size_px])
    first = graph.apply("Reshape", graph.slice(pixels, 0, 1, 1), graph.constant([0, -1], np.int64))
    zero = graph.apply("Mul", graph.slice(first, 0, 1, 1), graph.constant(0.0))  # (batch, 1)
    graph.apply(
        "Add",
        graph.apply("Reshape", zero, graph.constant([-1, 1, 1], np.int64)),
        graph.constant(raw[None]),
        to="out",
    )
    graph.add_output("out", FLOAT, ["batch", *raw.shape])
    return graph.finish(8)
