"""Inference over HTTP: the Open Inference Protocol, REST with binary tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
from pydantic import SecretStr

from contracts import AccessError, Array, ClientTls, DType, OverloadedError, ServiceError, verification

from .questions import Answer

LENGTH_HEADER = "Inference-Header-Content-Length"
_OUTPUT = "quantiles"
_RETRY_AFTER_S = 0.05
_FORBIDDEN = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_WORTH_ANOTHER_TRY = (httpx.codes.NOT_FOUND, httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS)
_SERVER_ERROR = 500


class ServedModels:
    """Answers from a serving process.

    Args:
        url: of serving.
        key: API key; None where it answers without.
        timeout_s: how long one answer may take.
        tls: whom to trust and who to be; None trusts the authorities of this machine.
    """

    def __init__(self, url: str, key: SecretStr | None, *, timeout_s: float, tls: ClientTls | None = None) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        verify = verification(tls)
        self._client = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, verify=verify, trust_env=False)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._client.close()

    def infer(self, model: str, feeds: Mapping[str, Array]) -> Answer:
        """Ask a model once.

        Raises:
            OverloadedError: if serving is away, busy, or does not have the model yet: worth trying again.
            AccessError: if the key is refused.
            ServiceError: if the request is refused, or the answer does not follow the protocol.
        """
        body, length = encode_request(feeds)
        headers = {LENGTH_HEADER: str(length), "Content-Type": "application/octet-stream"}
        try:
            response = self._client.post(f"/v2/models/{model}/infer", content=body, headers=headers)
        except httpx.TransportError as exc:
            message = f"Serving does not answer for the model {model!r} ({type(exc).__name__}: {exc}). Is it running?"
            raise OverloadedError(message, _RETRY_AFTER_S) from exc
        _check(response, model)
        return decode_response(response.content, response.headers.get(LENGTH_HEADER))


def _check(response: httpx.Response, model: str) -> None:
    code = response.status_code
    if code == httpx.codes.OK:
        return
    if code in _FORBIDDEN:
        message = f"Serving refused the runtime's key ({code}). Give it a key whose role may run inference."
        raise AccessError(message)
    message = f"Serving answered {code} for the model {model!r}: {response.text[:300]}"
    if code >= _SERVER_ERROR or code in _WORTH_ANOTHER_TRY:
        raise OverloadedError(message, _RETRY_AFTER_S)
    raise ServiceError(message)


def encode_request(feeds: Mapping[str, Array]) -> tuple[bytes, int]:
    """Return the body of a binary inference request and the length of its JSON header."""
    tensors, blobs = [], []
    for name, array in feeds.items():
        data = np.ascontiguousarray(array).tobytes()
        blobs.append(data)
        datatype = DType(str(array.dtype)).open_inference_name
        parameters = {"binary_data_size": len(data)}
        tensors.append({"name": name, "shape": list(array.shape), "datatype": datatype, "parameters": parameters})
    outputs = [{"name": _OUTPUT, "parameters": {"binary_data": True}}]
    header = json.dumps({"inputs": tensors, "outputs": outputs}).encode()
    return b"".join([header, *blobs]), len(header)


def decode_response(content: bytes, header_length: str | None) -> Answer:
    """Return the answer in a binary inference response.

    Raises:
        ServiceError: if it does not follow the protocol.
    """
    try:
        length = len(content) if header_length is None else int(header_length)
        header: dict[str, Any] = json.loads(content[:length])
        start = length
        for output in header["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size", 0)
            if output["name"] == _OUTPUT:
                data = np.frombuffer(content[start : start + size], dtype="<f4").reshape(output["shape"])
                return Answer(data.astype(np.float32), int(header["model_version"]))
            start += size
    except (KeyError, TypeError, ValueError) as exc:
        message = f"Serving's answer does not follow the Open Inference Protocol: {exc}."
        raise ServiceError(message) from exc
    message = f"Serving's answer holds no output {_OUTPUT!r}, but {[output['name'] for output in header['outputs']]}."
    raise ServiceError(message)
