"""Inference requests and answers over gRPC: messages to arrays and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts import Array, TensorError
from serving.errors import MalformedError

from .messages import Message, message_class
from .rest import InferenceRequest, check_parameters, select_outputs, wants_raw
from .tensors import datatype_name, decode_tensor

_Answer = message_class("inference.ModelInferResponse")
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
"""The field that holds a type's values. FP16 has none: it travels raw."""


def decode_call(message: Message) -> InferenceRequest:
    """Decode an inference request.

    Args:
        message: a ``ModelInferRequest``.

    Raises:
        MalformedError: if its parts contradict each other.
        TensorError: if a tensor is not what it announces.
    """
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        text = f"The request has {len(message.inputs)} inputs, but raw contents for {len(raw)}. Send all raw, or none."
        raise MalformedError(text)
    feeds: dict[str, Array] = {}
    for position, tensor in enumerate(message.inputs):
        if tensor.name in feeds:
            text = f"The input {tensor.name!r} stands twice."
            raise MalformedError(text)
        check_parameters(read_parameters(tensor.parameters))
        data = memoryview(raw[position]) if raw else _values(tensor)
        if raw and tensor.HasField("contents"):
            text = f"The input {tensor.name!r} has both raw and typed contents. Send one."
            raise MalformedError(text)
        feeds[tensor.name] = decode_tensor(tensor.name, tensor.datatype, list(tensor.shape), data)
    request = InferenceRequest(feeds, id=message.id or None, raw=bool(raw))
    request.parameters = read_parameters(message.parameters)
    check_parameters(request.parameters)
    for output in message.outputs:
        request.outputs[output.name] = wants_raw(output.name, read_parameters(output.parameters), default=request.raw)
    return request


def encode_reply(model: str, version: int, outputs: Mapping[str, Array], request: InferenceRequest) -> Message:
    """Encode an answer as a ``ModelInferResponse``: raw to who asked raw, else as typed contents.

    Args:
        model: name of the model that answered.
        version: its version.
        outputs: name → array, all the model gave.
        request: what was asked.

    Raises:
        TensorError: if an output is wanted that the model does not give.
    """
    wanted = select_outputs(model, outputs, request)
    reply = _Answer(model_name=model, model_version=str(version), id=request.id or "")
    # The protocol allows no mixture, and a type without a field of its own can only travel raw.
    raw = request.raw or any(datatype_name(outputs[name]) not in _CONTENTS for name in wanted)
    for name in wanted:
        array = outputs[name]
        datatype = datatype_name(array)
        described = reply.outputs.add(name=name, datatype=datatype, shape=array.shape)
        if raw:
            reply.raw_output_contents.append(array.tobytes())
        else:
            getattr(described.contents, _CONTENTS[datatype]).extend(array.ravel().tolist())
    return reply


def read_parameters(parameters: Mapping[str, Message]) -> dict[str, Any]:
    """Return parameters as plain values."""
    if not parameters:
        return {}
    return {key: getattr(value, value.WhichOneof("parameter_choice") or "", None) for key, value in parameters.items()}


def _values(tensor: Message) -> list[Any]:
    """Return the values in the field that a tensor's type prescribes.

    Raises:
        TensorError: if values stand in another field.
    """
    field = _CONTENTS.get(tensor.datatype)
    filled = [each.name for each, _ in tensor.contents.ListFields()]
    if field is not None and filled in ([], [field]):
        return list(getattr(tensor.contents, field))
    where = f"in {field!r}" if field is not None else "raw, or in a supported type"
    message = f"The input {tensor.name!r} of type {tensor.datatype!r} must be sent {where}, was in {filled}."
    raise TensorError(message)
