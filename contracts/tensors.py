"""Tensor signatures: declared once, they drive smoke tests, ONNX axes and request validation."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import TensorError

Array = NDArray[Any]


class DType(StrEnum):
    """Element types, by their NumPy names."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    FLOAT64 = "float64"
    INT64 = "int64"
    INT32 = "int32"
    INT8 = "int8"
    UINT8 = "uint8"
    BOOL = "bool"

    @property
    def open_inference_name(self) -> str:
        """The Open Inference Protocol's name, such as ``FP32``."""
        return _OPEN_INFERENCE_NAMES[self]

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        return _NUMPY[self]


_NUMPY = {dtype: np.dtype(dtype.value) for dtype in DType}
_OPEN_INFERENCE_NAMES = {
    DType.FLOAT32: "FP32",
    DType.FLOAT16: "FP16",
    DType.FLOAT64: "FP64",
    DType.INT64: "INT64",
    DType.INT32: "INT32",
    DType.INT8: "INT8",
    DType.UINT8: "UINT8",
    DType.BOOL: "BOOL",
}


class AxisName(StrEnum):
    """The one axis vocabulary."""

    BATCH = "batch"
    TIME = "time"
    HORIZON = "horizon"
    SERIES = "series"
    QUANTILE = "quantile"
    FEATURE = "feature"
    CHANNEL = "channel"
    HEIGHT = "height"
    WIDTH = "width"
    BOX = "box"
    CLASS = "class"
    ANCHOR = "anchor"
    COORDINATE = "coordinate"


class Axis(BaseModel):
    """One axis of a tensor.

    Attributes:
        name: from the axis vocabulary.
        size: fixed length, or None where it is dynamic.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: AxisName
    size: int | None = Field(default=None, gt=0)


class TensorSpec(BaseModel):
    """One tensor: name, axes, element type and unit.

    Attributes:
        name: the name in the ONNX graph.
        axes: its axes in order.
        dtype: element type.
        unit: unit of its values; empty when they have none.
        missing: whether NaN stands for a missing value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    axes: tuple[Axis, ...]
    dtype: DType = DType.FLOAT32
    unit: str = ""
    missing: bool = False

    @cached_property
    def shape(self) -> tuple[int | None, ...]:
        """Lengths of the axes; None where dynamic."""
        return tuple(axis.size for axis in self.axes)

    @cached_property
    def batch_axes(self) -> tuple[int, ...]:
        """Where the dynamic batch axis is; empty where it has none."""
        return tuple(i for i, axis in enumerate(self.axes) if axis.name is AxisName.BATCH and axis.size is None)

    @property
    def dynamic_axes(self) -> dict[int, str]:
        """Index → name of each dynamic axis, as ONNX exporters take it."""
        return {i: axis.name.value for i, axis in enumerate(self.axes) if axis.size is None}

    def check(self, array: Array) -> None:
        """Check an array against this declaration.

        Raises:
            TensorError: if the type or shape differs, or an infinite or undeclared NaN value is in it.
        """
        if array.dtype != self.dtype.numpy:
            message = f"Tensor {self.name!r} must be {self.dtype}, was {array.dtype}. Convert it before sending."
            raise TensorError(message)
        fits = array.ndim == len(self.axes) and all(
            size in (None, given) for size, given in zip(self.shape, array.shape, strict=True)
        )
        if not fits:
            expected = ", ".join(f"{axis.name}={axis.size or 'any'}" for axis in self.axes)
            message = f"Tensor {self.name!r} must have shape ({expected}), was {array.shape}."
            raise TensorError(message)
        if array.dtype.kind == "f":
            self._check_values(array)

    def _check_values(self, array: Array) -> None:
        if np.isfinite(array).all():
            return
        if np.isinf(array).any():
            message = f"Tensor {self.name!r} holds infinite values. Send a finite number, or NaN where one is missing."
            raise TensorError(message)
        if not self.missing:
            message = f"Tensor {self.name!r} holds NaN, but declares no missing values. Fill them in before sending."
            raise TensorError(message)


class Signature(BaseModel):
    """All inputs and outputs of one graph."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @model_validator(mode="after")
    def _check_names(self) -> Signature:
        if bool(self.inputs) != bool(self.outputs):
            message = "a graph has inputs and outputs; only what is no graph has neither"
            raise ValueError(message)
        names = [spec.name for spec in (*self.inputs, *self.outputs)]
        if len(set(names)) != len(names):
            message = f"tensor names must be unique, were {names}"
            raise ValueError(message)
        return self

    @cached_property
    def input_names(self) -> frozenset[str]:
        """Names of all inputs."""
        return frozenset(spec.name for spec in self.inputs)

    def check_inputs(self, feeds: Mapping[str, Array]) -> int:
        """Check a whole request and return its batch size.

        Args:
            feeds: name → array for every declared input.

        Returns:
            The common length of the batch axes (1 where no input has one).

        Raises:
            TensorError: if an input is missing, unknown, of the wrong type or shape, or batches differ.
        """
        known = self.input_names
        if feeds.keys() != known:
            missing, unknown = known - feeds.keys(), feeds.keys() - known
            message = f"The inputs must be {sorted(known)}; missing: {sorted(missing)}, unknown: {sorted(unknown)}."
            raise TensorError(message)
        sizes: set[int] = set()
        for spec in self.inputs:
            array = feeds[spec.name]
            spec.check(array)
            sizes.update(array.shape[axis] for axis in spec.batch_axes)
        if len(sizes) > 1:
            message = f"All inputs must have one batch size, were {sorted(sizes)}."
            raise TensorError(message)
        return sizes.pop() if sizes else 1


NO_TENSORS = Signature(inputs=(), outputs=())
"""Of a release that is no graph: a rule set."""
