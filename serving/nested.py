"""Inference with nested values in plain JSON, as BentoML's clients ask it, clear of BentoML's layers.

The question is ``{"model": ..., "inputs": {name: values}, "version": ...}``, the answer
``{"model": ..., "version": ..., "outputs": {name: values}}``; ``null`` stands for a missing value in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson

from contracts import Array, Signature

from .errors import MalformedError
from .protocol import InferenceRequest, decode_tensor, read_json

JSON = b"application/json"


class Question(NamedTuple):
    """What is asked.

    Attributes:
        model: its name.
        version: one that is open; None for the champion.
        inputs: name → nested values.
    """

    model: str
    version: str | None
    inputs: dict[str, Any]


def read_question(body: bytes) -> Question:
    """Read a question.

    Raises:
        MalformedError: if it cannot be read.
    """
    document = read_json(body)
    model, version, inputs = (
        (document.get("model"), document.get("version"), document.get("inputs"))
        if isinstance(document, dict)
        else (None, None, None)
    )
    if not isinstance(model, str) or not isinstance(inputs, dict) or not isinstance(version, str | None):
        message = "A question is an object with a text 'model', an object 'inputs' and, if wanted, a text 'version'."
        raise MalformedError(message)
    return Question(model, version or None, inputs)


def decode_inputs(inputs: Mapping[str, Any], signature: Signature) -> InferenceRequest:
    """Return the inputs as arrays.

    Args:
        inputs: name → nested values.
        signature: says of which type each is.

    Raises:
        TensorError: if values cannot be of their tensor's type.
    """
    datatypes = {spec.name: spec.dtype.open_inference_name for spec in signature.inputs}
    return InferenceRequest({name: _tensor(name, datatypes.get(name), values) for name, values in inputs.items()})


def encode_outputs(
    model: str, version: int, outputs: Mapping[str, Array], _request: InferenceRequest
) -> tuple[bytes, None]:
    """Return an answer's body; None stands where other encodings say how long their JSON is."""
    shown = {name: _shown(array) for name, array in outputs.items()}
    document = {"model": model, "version": version, "outputs": shown}
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), None


def _tensor(name: str, datatype: str | None, values: object) -> Array:
    listed = values if isinstance(values, list) else [values]
    return decode_tensor(name, datatype, _shape(listed), listed)


def _shape(values: object) -> list[int]:
    """Return the lengths by the first element at each depth; uneven lists are found when they become an array."""
    shape = []
    while isinstance(values, list):
        shape.append(len(values))
        values = values[0] if values else None
    return shape


def _shown(array: Array) -> Array:
    return np.ascontiguousarray(array.astype(np.float32) if array.dtype == np.float16 else array)
