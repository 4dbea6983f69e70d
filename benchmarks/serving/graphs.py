"""The models that every server gets: forecasters of one signature, 168 readings in, 24 steps of 3 quantiles out.

The small one is two layers. The others are temporal convolutions, as many as fill the time that is asked for.
"""

from __future__ import annotations

import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contracts import Array, Axis, AxisName, Signature, TensorSpec
from gpu import SIGNATURE_KEY, open_session

CONTEXT, HORIZON, QUANTILES = 168, 24, 3
_HIDDEN, _CHANNELS, _KERNEL = 256, 192, 3
_BATCH = Axis(name=AxisName.BATCH)
SIGNATURE = Signature(
    inputs=(TensorSpec(name="context", axes=(_BATCH, Axis(name=AxisName.TIME, size=CONTEXT)), missing=True),),
    outputs=(
        TensorSpec(
            name="quantiles",
            axes=(_BATCH, Axis(name=AxisName.HORIZON, size=HORIZON), Axis(name=AxisName.QUANTILE, size=QUANTILES)),
        ),
    ),
)


def small_forecaster(seed: int = 0) -> bytes:
    """Return two dense layers over the scaled context: some 20 us a row."""
    random = np.random.default_rng(seed)
    nodes = [
        *_scale(),
        helper.make_node("MatMul", ["scaled", "first"], ["inner"]),
        helper.make_node("Relu", ["inner"], ["active"]),
        helper.make_node("MatMul", ["active", "last"], ["flat"]),
        *_give("flat"),
    ]
    weights = {
        "first": random.normal(0, 0.1, (CONTEXT, _HIDDEN)),
        "last": random.normal(0, 0.1, (_HIDDEN, HORIZON * QUANTILES)),
    }
    return _graph(nodes, weights)


def convolving_forecaster(layers: int, seed: int = 0) -> bytes:
    """Return so many temporal convolutions over the scaled context."""
    random = np.random.default_rng(seed)
    nodes = [*_scale(), helper.make_node("Unsqueeze", ["scaled", "axis1"], ["c0"])]
    weights = {"last": random.normal(0, 0.1, (_CHANNELS, HORIZON * QUANTILES))}
    for layer in range(layers):
        channels = _CHANNELS if layer else 1
        weights[f"w{layer}"] = random.normal(0, 0.05, (_CHANNELS, channels, _KERNEL))
        nodes += [
            helper.make_node("Conv", [f"c{layer}", f"w{layer}"], [f"a{layer}"], pads=[1, 1]),
            helper.make_node("Relu", [f"a{layer}"], [f"c{layer + 1}"]),
        ]
    nodes += [
        helper.make_node("ReduceMean", [f"c{layers}"], ["pooled"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["pooled", "last"], ["flat"]),
        *_give("flat"),
    ]
    return _graph(nodes, weights)


def forecaster_of(milliseconds: float) -> bytes:
    """Return a convolving forecaster that takes at least so long for one row, on this machine, now."""
    few, more = (fastest_ms(convolving_forecaster(layers)) for layers in (2, 6))
    layers = max(2, round(milliseconds / ((more - few) / 4)))
    while fastest_ms(content := convolving_forecaster(layers)) < milliseconds:
        layers += 1
    return content


def fastest_ms(content: bytes, runs: int = 10) -> float:
    """Return the fastest of some runs of one row on one thread."""
    session = open_session(content)
    feeds = {"context": contexts(1)}
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        session.run(feeds)
        taken.append(time.perf_counter() - started)
    return 1000 * min(taken)


def contexts(rows: int, seed: int = 0) -> Array:
    """Return float32 (batch, time) of plausible readings."""
    random = np.random.default_rng(seed)
    return np.round(100 + 10 * random.standard_normal((rows, CONTEXT)), 2).astype(np.float32)


def _scale() -> list[onnx.NodeProto]:
    """Centre and scale the context by its own mean; missing readings become the mean."""
    return [
        helper.make_node("IsNaN", ["context"], ["gaps"]),
        helper.make_node("Where", ["gaps", "hundred", "context"], ["filled"]),
        helper.make_node("ReduceMean", ["filled"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["filled", "mean"], ["scaled"]),
    ]


def _give(flat: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Add", [flat, "mean"], ["raised"]),
        helper.make_node("Reshape", ["raised", "shape"], ["quantiles"]),
    ]


def _graph(nodes: list[onnx.NodeProto], weights: dict[str, Array]) -> bytes:
    constants = {name: value.astype(np.float32) for name, value in weights.items()} | {
        "hundred": np.array(100, np.float32),
        "axis1": np.array([1], np.int64),
        "shape": np.array([-1, HORIZON, QUANTILES], np.int64),
    }
    used = {name for node in nodes for name in node.input}
    ends = [
        helper.make_tensor_value_info("context", TensorProto.FLOAT, ["batch", CONTEXT]),
        helper.make_tensor_value_info("quantiles", TensorProto.FLOAT, ["batch", HORIZON, QUANTILES]),
    ]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used]
    graph = helper.make_graph(nodes, "forecaster", ends[:1], ends[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    helper.set_model_props(model, {SIGNATURE_KEY: SIGNATURE.model_dump_json()})
    return bytes(model.SerializeToString())
