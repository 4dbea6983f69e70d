"""Inference requests and answers over HTTP: JSON, with tensors raw behind it where a client asks for that."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from contracts import Array, Signature, TensorError
from serving.errors import MalformedError

from .tensors import datatype_name, decode_tensor, encode_values

HEADER_LENGTH = "inference-header-content-length"
_BINARY_SIZE = "binary_data_size"
_SHARED_MEMORY = "shared_memory_region"


@dataclass(slots=True)
class InferenceRequest:
    """One request, decoded but not yet checked against a signature.

    Attributes:
        feeds: name → array.
        id: the client's own id, repeated in the answer.
        outputs: wanted outputs with whether each is wanted raw; empty for all.
        raw: whether outputs not named are wanted raw.
        parameters: the request's parameters.
    """

    feeds: dict[str, Array]
    id: str | None = None
    outputs: dict[str, bool] = field(default_factory=dict)
    raw: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)


def read_json(body: bytes | memoryview) -> Any:
    """Read JSON; ``NaN`` is taken for a missing number, as many clients write it.

    Raises:
        MalformedError: if it is broken, saying where.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_lenient(bytes(body))


def _read_lenient(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_constant)
    except UnicodeDecodeError as exc:
        message = f"The body is not UTF-8 at byte {exc.start}. Send JSON, or announce raw tensors by {HEADER_LENGTH!r}."
        raise MalformedError(message) from exc
    except json.JSONDecodeError as exc:
        message = f"The body is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno} (byte {exc.pos})."
        raise MalformedError(message) from exc
    except (ValueError, RecursionError) as exc:
        message = f"The body cannot be read as JSON: {exc}."
        raise MalformedError(message) from exc


def _constant(word: str) -> float | None:
    return None if word == "NaN" else float(word.replace("Infinity", "inf"))


def decode_request(body: bytes, header_length: str | None = None) -> InferenceRequest:
    """Decode an inference request.

    Args:
        body: JSON, followed by raw tensors where ``header_length`` is given.
        header_length: length of the JSON in bytes, as its header says.

    Raises:
        MalformedError: if the body cannot be read.
        TensorError: if a tensor is not what it announces.
    """
    view = memoryview(body)
    head, tail = (view, None) if header_length is None else _split(view, header_length)
    document = read_json(body if tail is None else head)
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        message = "An inference request is an object with a list 'inputs'."
        raise MalformedError(message)
    feeds = _decode_inputs(document["inputs"], tail)
    request = InferenceRequest(feeds)
    request.id = _text(document, "id")
    request.parameters = _parameters(document)
    request.raw = request.parameters.get("binary_data_output") is True
    if "outputs" in document:
        request.outputs = _decode_outputs(document["outputs"], raw=request.raw)
    return request


def decode_raw(body: bytes, signature: Signature) -> InferenceRequest:
    """Decode a request that is a model's only input, raw, with no JSON before it; the answer will be raw too.

    Args:
        body: the tensor's bytes; the length of its one free axis follows from theirs.
        signature: of the model that is asked.

    Raises:
        MalformedError: if the model takes several inputs, or one with several free axes.
        TensorError: if the bytes do not fit.
    """
    spec = signature.inputs[0]
    if len(signature.inputs) > 1 or list(spec.shape).count(None) > 1:
        message = f"This model's inputs need JSON to describe them; tell its length by {HEADER_LENGTH!r}."
        raise MalformedError(message)
    row_bytes = spec.dtype.numpy.itemsize * math.prod(size for size in spec.shape if size is not None)
    rows = len(body) // row_bytes if row_bytes else 0
    sizes = [rows if size is None else size for size in spec.shape]
    array = decode_tensor(spec.name, spec.dtype.open_inference_name, sizes, memoryview(body))
    return InferenceRequest({spec.name: array}, raw=True)


def encode_answer(
    model: str, version: int, outputs: Mapping[str, Array], request: InferenceRequest
) -> tuple[bytes, int | None]:
    """Encode an answer.

    Args:
        model: name of the model that answered.
        version: its version.
        outputs: name → array, all the model gave.
        request: what was asked, for its id and the outputs wanted.

    Returns:
        The body, and the length of its JSON part where raw tensors follow it.

    Raises:
        TensorError: if an output is wanted that the model does not give.
    """
    raw: list[bytes] = []
    described = []
    for name, is_raw in select_outputs(model, outputs, request).items():
        array = outputs[name]
        entry: dict[str, Any] = {"name": name, "datatype": datatype_name(array), "shape": array.shape}
        if is_raw:
            raw.append(array.tobytes())
            entry["parameters"] = {_BINARY_SIZE: len(raw[-1])}
        else:
            entry["data"] = encode_values(array)
        described.append(entry)
    document = {"model_name": model, "model_version": str(version), "outputs": described}
    if request.id is not None:
        document["id"] = request.id
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join((head, *raw)), len(head)) if raw else (head, None)


def select_outputs(model: str, outputs: Mapping[str, Array], request: InferenceRequest) -> dict[str, bool]:
    """Return the outputs that are wanted, each with whether it is wanted raw.

    Raises:
        TensorError: if an output is wanted that the model does not give.
    """
    if not request.outputs:
        return dict.fromkeys(outputs, request.raw)
    for name in request.outputs:
        if name not in outputs:
            message = f"The model {model!r} gives no output {name!r}; it gives {sorted(outputs)}."
            raise TensorError(message)
    return request.outputs


def wants_raw(name: str, parameters: Mapping[str, Any], *, default: bool) -> bool:
    """Return whether an output is wanted raw.

    Args:
        name: of the output.
        parameters: of the wanted output.
        default: where they do not say.

    Raises:
        MalformedError: if it is wanted in a form that is not offered.
    """
    check_parameters(parameters)
    if parameters.get("classification"):
        message = f"The output {name!r} is wanted as a classification, which is not offered. Take the tensor."
        raise MalformedError(message)
    return bool(parameters.get("binary_data", default))


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that ask for what is not offered.

    Raises:
        MalformedError: if they name a region of shared memory.
    """
    if _SHARED_MEMORY in parameters:
        message = "Shared memory is not offered. Send the tensor in the request."
        raise MalformedError(message)


def _split(view: memoryview, header_length: str) -> tuple[memoryview, memoryview]:
    length = int(header_length) if header_length.isascii() and header_length.isdigit() else -1
    if not 0 <= length <= len(view):
        message = f"{HEADER_LENGTH!r} must be the length of the JSON, 0 to {len(view)}, was {header_length!r}."
        raise MalformedError(message)
    return view[:length], view[length:]


def _decode_inputs(inputs: list[Any], tail: memoryview | None) -> dict[str, Array]:
    feeds: dict[str, Array] = {}
    offset = 0
    for entry in inputs:
        name = _name(entry, "input")
        if name in feeds:
            message = f"The input {name!r} stands twice."
            raise MalformedError(message)
        size = _parameters(entry).get(_BINARY_SIZE)
        data = entry.get("data") if size is None else _raw_part(name, size, tail, offset)
        if not isinstance(data, list | memoryview):
            message = f"The input {name!r} needs a list 'data', or raw bytes announced by {_BINARY_SIZE!r}."
            raise MalformedError(message)
        offset += len(data) if isinstance(data, memoryview) else 0
        feeds[name] = decode_tensor(name, entry.get("datatype"), entry.get("shape"), data)
    if tail is not None and offset != len(tail):
        message = f"{len(tail)} raw bytes follow the JSON, but the inputs announce {offset}."
        raise MalformedError(message)
    return feeds


def _raw_part(name: str, size: object, tail: memoryview | None, offset: int) -> memoryview:
    if tail is None:
        message = f"The input {name!r} announces raw bytes, but the header {HEADER_LENGTH!r} is missing."
        raise MalformedError(message)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(tail) - offset:
        message = f"The input {name!r} announces {size!r} raw bytes; {len(tail) - offset} are left."
        raise MalformedError(message)
    return tail[offset : offset + size]


def _decode_outputs(outputs: object, *, raw: bool) -> dict[str, bool]:
    if not isinstance(outputs, list):
        message = "'outputs' must be a list of objects with a 'name'."
        raise MalformedError(message)
    wanted = {}
    for entry in outputs:
        name = _name(entry, "output")
        wanted[name] = wants_raw(name, _parameters(entry), default=raw)
    return wanted


def _name(entry: object, kind: str) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str):
        message = f"Every {kind} is an object with a 'name', was {str(entry)[:80]!r}."
        raise MalformedError(message)
    return name


def _parameters(entry: Mapping[str, Any]) -> dict[str, Any]:
    parameters = entry.get("parameters") or {}
    if not isinstance(parameters, dict):
        message = f"'parameters' must be an object, was {str(parameters)[:80]!r}."
        raise MalformedError(message)
    check_parameters(parameters)
    return parameters


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        message = f"{key!r} must be a text, was {str(value)[:80]!r}."
        raise MalformedError(message)
    return value
