"""Tensors on the wire: JSON values and raw little-endian bytes, to arrays and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from contracts import Array, DType, TensorError

_BY_NAME = {dtype.open_inference_name: dtype.numpy for dtype in DType}
_BY_DTYPE = {dtype.numpy: dtype.open_inference_name for dtype in DType}
MAXIMUM_RANK = 16

assert np.little_endian  # noqa: S101 - raw tensors are little-endian; every machine this runs on is


def dtype_of(name: str, datatype: object) -> np.dtype[Any]:
    """Return the NumPy type of a protocol type.

    Args:
        name: of the tensor, for messages.
        datatype: such as ``FP32``.

    Raises:
        TensorError: if the type is not supported.
    """
    found = _BY_NAME.get(datatype) if isinstance(datatype, str) else None
    if found is None:
        message = f"Tensor {name!r} has the datatype {datatype!r}. Use one of {', '.join(sorted(_BY_NAME))}."
        raise TensorError(message)
    return found


def datatype_name(array: Array) -> str:
    """Return the protocol's name of an array's type."""
    return _BY_DTYPE[array.dtype]


def check_shape(name: str, shape: object) -> list[int]:
    """Return a shape that was sent.

    Raises:
        TensorError: if it is no list of lengths.
    """
    fits = (
        isinstance(shape, list)
        and len(shape) <= MAXIMUM_RANK
        and all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape)
    )
    if not fits:
        message = f"Tensor {name!r} has the shape {shape!r}. Send a list of up to {MAXIMUM_RANK} lengths."
        raise TensorError(message)
    return shape  # type: ignore[return-value] # checked above


def decode_tensor(name: str, datatype: object, shape: object, data: memoryview | list[Any]) -> Array:
    """Return a tensor as an array.

    Args:
        name: of the tensor.
        datatype: the protocol's type.
        shape: its lengths.
        data: raw bytes, or JSON values, flat or nested; ``null`` stands for a missing value.

    Raises:
        TensorError: if the data is not what type and shape announce.
    """
    dtype = dtype_of(name, datatype)
    sizes = check_shape(name, shape)
    array = _from_bytes(name, dtype, data) if isinstance(data, memoryview) else _from_values(name, dtype, data)
    if array.size != math.prod(sizes):
        message = f"Tensor {name!r} has {array.size} elements, but its shape {sizes} asks for {math.prod(sizes)}."
        raise TensorError(message)
    return array.reshape(sizes)


def encode_values(array: Array) -> Sequence[Any] | Array:
    """Return an array flat, as the JSON encoder takes it: NaN becomes ``null``."""
    flat = array.reshape(-1)
    return flat.astype(np.float32) if flat.dtype == np.float16 else np.ascontiguousarray(flat)


def _from_bytes(name: str, dtype: np.dtype[Any], data: memoryview) -> Array:
    if data.nbytes % dtype.itemsize:
        message = (
            f"Tensor {name!r} has {data.nbytes} bytes, which is no whole number of {dtype.itemsize}-byte elements."
        )
        raise TensorError(message)
    if dtype == np.bool_ and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        message = f"Tensor {name!r} is BOOL, but holds bytes other than 0 and 1."
        raise TensorError(message)
    return np.require(np.frombuffer(data, dtype), requirements="A")


def _from_values(name: str, dtype: np.dtype[Any], values: list[Any]) -> Array:
    try:
        raw = np.asarray(values)
    except (ValueError, OverflowError) as exc:
        message = f"Tensor {name!r} has lists of different lengths, or a number out of range."
        raise TensorError(message) from exc
    if raw.dtype.kind == "O":
        raw = _with_missing(name, raw)
    if raw.size and not _may_become(raw.dtype, dtype):
        message = f"Tensor {name!r} holds {raw.dtype.name} values, which cannot stand for {dtype.name}."
        raise TensorError(message)
    return _cast(name, raw.reshape(-1), dtype)


def _with_missing(name: str, raw: Array) -> Array:
    flat = raw.reshape(-1)
    wrong = next((value for value in flat if value is not None and type(value) not in (int, float)), None)
    if wrong is not None:
        message = f"Tensor {name!r} holds {str(wrong)[:60]!r}. Send numbers, null for a missing one, in even lists."
        raise TensorError(message)
    return flat.astype(np.float64)


def _may_become(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    kinds = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}
    return given.kind in kinds[wanted.kind]


def _cast(name: str, flat: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind in "iu" and flat.size:
        limits = np.iinfo(dtype)
        if flat.min() < limits.min or flat.max() > limits.max:
            message = f"Tensor {name!r} holds a number outside {limits.min} to {limits.max}, the range of {dtype.name}."
            raise TensorError(message)
    with np.errstate(over="ignore"):  # too large a number becomes infinite, which the signature refuses
        return flat.astype(dtype, copy=False)
