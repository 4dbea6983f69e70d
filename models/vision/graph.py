"""Writes small ONNX graphs by hand, one node a line: what surrounds a detector's network.

Not an exporter: networks come from torch, or from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, UINT8, INT64 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64


class GraphWriter:
    """Collects nodes in order; every method returns the name of what it made.

    Args:
        name: name of the graph; inner tensors are named after it.
        opset: version of the operators.
    """

    def __init__(self, name: str, opset: int) -> None:
        self._name, self._opset = name, opset
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def add_input(self, name: str, dtype: int, shape: Sequence[int | str]) -> str:
        """Declare an input."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def add_output(self, name: str, dtype: int, shape: Sequence[int | str]) -> None:
        """Declare an output that a node has made under that name."""
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """Store a constant."""
        name = f"{self._name}_constant_{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def apply(self, operator: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; ``to`` names it."""
        output = to or f"{self._name}_{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=f"{output}_node", **attributes))
        return output

    def apply_many(self, operator: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        made = [f"{self._name}_{operator.lower()}_{len(self._nodes)}_{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), made, name=f"{made[0]}_node", **attributes))
        return made

    def slice(self, tensor: str, start: int, stop: int, axis: int) -> str:
        """Cut ``[start:stop]`` out of one axis."""
        bounds = [self.constant([value], np.int64) for value in (start, stop, axis)]
        return self.apply("Slice", tensor, *bounds)

    def cast(self, tensor: str, dtype: int) -> str:
        """Convert the element type (Cast calls it ``to``, as ``apply`` calls its output)."""
        output = f"{self._name}_cast_{len(self._nodes)}"
        self._nodes.append(helper.make_node("Cast", [tensor], [output], name=f"{output}_node", to=dtype))
        return output

    def finish(self, ir_version: int) -> onnx.ModelProto:
        """Return the model, checked."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)], ir_version=ir_version)
        onnx.checker.check_model(model, full_check=True)
        return model
