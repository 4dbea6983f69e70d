"""Small real ONNX graphs for tests."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contracts import Axis, AxisName, ForecastSpec, Signature, TensorSpec

CONTEXT, HORIZON, QUANTILES = 4, 2, (0.05, 0.5, 0.95)
FORECAST = ForecastSpec(context=CONTEXT, horizon=HORIZON, interval_s=3600, quantiles=QUANTILES, unit="l/s")
SIGNATURE = Signature(
    inputs=(
        TensorSpec(
            name="context", axes=(Axis(name=AxisName.BATCH), Axis(name=AxisName.TIME, size=CONTEXT)), unit="l/s"
        ),
    ),
    outputs=(
        TensorSpec(
            name="quantiles",
            axes=(
                Axis(name=AxisName.BATCH),
                Axis(name=AxisName.HORIZON, size=HORIZON),
                Axis(name=AxisName.QUANTILE, size=len(QUANTILES)),
            ),
            unit="l/s",
        ),
    ),
)


def linear_forecaster(metadata: dict[str, str] | None = None, seed: int = 0, width: int = 0) -> bytes:
    """Return a graph context (batch, 4) → quantiles (batch, 2, 3): one matrix; ``width`` adds idle weights."""
    rng = np.random.default_rng(seed)
    outputs = HORIZON * len(QUANTILES)
    weights = rng.normal(size=(CONTEXT, outputs)).astype(np.float32)
    initializers = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([-1, HORIZON, len(QUANTILES)], np.int64), "shape"),
        numpy_helper.from_array(rng.normal(size=(width,)).astype(np.float32), "idle"),
    ]
    nodes = [
        helper.make_node("MatMul", ["context", "weights"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["quantiles"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("context", TensorProto.FLOAT, ["batch", CONTEXT])],
        [helper.make_tensor_value_info("quantiles", TensorProto.FLOAT, ["batch", HORIZON, len(QUANTILES)])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())


def declared_forecaster(seed: int = 0, width: int = 0) -> bytes:
    """Return the same graph carrying its signature and forecast spec, as an export does."""
    declarations = {
        "cityforge.signature": SIGNATURE.model_dump_json(),
        "cityforge.forecast": FORECAST.model_dump_json(),
    }
    return linear_forecaster(declarations, seed, width)


def elementwise(dtype: int, shape: list[int | str], operator: str = "Identity") -> bytes:
    """Return a graph x → y of one operator."""
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"])],
        "elementwise",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", dtype, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
