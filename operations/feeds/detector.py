"""Asks a served detector what one frame shows: the Open Inference Protocol with the frame as a raw tensor."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from contracts import AccessError, ClientTls, OverloadedError, ServiceError, verification
from operations.inference import LENGTH_HEADER

_RETRY_AFTER_S = 0.5
_FORBIDDEN = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_FIRST_SERVER_ERROR = 500
_WORTH_ANOTHER_TRY = (httpx.codes.NOT_FOUND, httpx.codes.TOO_MANY_REQUESTS)
_OUTPUTS = {"boxes": "<f4", "scores": "<f4", "classes": "<i8"}


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What a detector saw in one frame.

    Attributes:
        boxes: left, top, right, bottom as shares of width and height, shape (box, 4).
        scores: shape (box,), best first.
        labels: one a box.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: tuple[str, ...]

    def at_least(self, score: float) -> Sighting:
        """Return the boxes with at least a score."""
        kept = self.scores >= score
        return Sighting(self.boxes[kept], self.scores[kept], tuple(np.asarray(self.labels, object)[kept]))


class ServedDetector:
    """One detector of a serving process; use one a thread.

    Args:
        url: of serving.
        key: API key; None where it answers without.
        model: registered name.
        timeout_s: how long an answer is worth something.
        tls: whom to trust and who to be; None trusts the authorities of this machine.
    """

    def __init__(
        self, url: str, key: SecretStr | None, model: str, *, timeout_s: float = 5.0, tls: ClientTls | None = None
    ) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        headers["X-Deadline-Ms"] = str(round(timeout_s * 1000))
        verify = verification(tls)
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=timeout_s + 1, verify=verify, trust_env=False
        )
        self._model = model
        self._labels: dict[str, tuple[str, ...]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def look(self, pixels: NDArray[np.uint8]) -> Sighting:
        """Ask about one frame.

        Args:
            pixels: uint8, shape (height, width, 3), RGB.

        Raises:
            OverloadedError: if serving is away, busy or has no such model yet: worth another frame.
            AccessError: if the key is refused.
            ServiceError: if the request is refused, or the answer does not follow the protocol.
        """
        body, length = _encode(pixels)
        headers = {LENGTH_HEADER: str(length), "Content-Type": "application/octet-stream"}
        response = self._send("POST", f"/v2/models/{self._model}/infer", content=body, headers=headers)
        version, outputs = _decode(response.content, response.headers.get(LENGTH_HEADER))
        labels = self._labels_of(version)
        height, width = pixels.shape[:2]
        classes = outputs["classes"].tolist()
        if classes and max(classes) >= len(labels):
            message = f"The model {self._model!r} answered with class {max(classes)}, but has {len(labels)} labels."
            raise ServiceError(message)
        return Sighting(
            outputs["boxes"].reshape(-1, 4) / np.array([width, height, width, height], np.float64),
            outputs["scores"].astype(np.float64),
            tuple(labels[index] for index in classes),
        )

    def _labels_of(self, version: str) -> tuple[str, ...]:
        found = self._labels.get(version)
        if found is None:
            response = self._send("GET", f"/v2/models/{self._model}/versions/{version}/config")
            found = self._labels[version] = read_labels(response.json())
        return found

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **arguments)
        except httpx.TransportError as exc:
            message = f"Serving does not answer for the model {self._model!r} ({type(exc).__name__}). Is it running?"
            raise OverloadedError(message, _RETRY_AFTER_S) from exc
        code = response.status_code
        if code == httpx.codes.OK:
            return response
        message = f"Serving answered {code} for the model {self._model!r}: {response.text[:300]}"
        if code in _FORBIDDEN:
            raise AccessError(message)
        if code >= _FIRST_SERVER_ERROR or code in _WORTH_ANOTHER_TRY:
            raise OverloadedError(message, _RETRY_AFTER_S)
        raise ServiceError(message)


def read_labels(config: dict[str, Any]) -> tuple[str, ...]:
    """Return the class names that a model's configuration tells.

    Raises:
        ServiceError: if it tells none.
    """
    text = config.get("parameters", {}).get("labels", {}).get("string_value", "[]")
    labels = tuple(json.loads(text))
    if not labels:
        message = f"The model {config.get('name')!r} has no class names: it is no detector."
        raise ServiceError(message)
    return labels


def _encode(pixels: NDArray[np.uint8]) -> tuple[bytes, int]:
    data = np.ascontiguousarray(pixels).tobytes()
    image = {
        "name": "image",
        "shape": list(pixels.shape),
        "datatype": "UINT8",
        "parameters": {"binary_data_size": len(data)},
    }
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in _OUTPUTS]
    header = json.dumps({"inputs": [image], "outputs": outputs}).encode()
    return header + data, len(header)


def _decode(content: bytes, header_length: str | None) -> tuple[str, dict[str, NDArray[Any]]]:
    try:
        start = len(content) if header_length is None else int(header_length)
        header = json.loads(content[:start])
        outputs = {}
        for output in header["outputs"]:
            size = output["parameters"]["binary_data_size"]
            outputs[output["name"]] = np.frombuffer(content[start : start + size], _OUTPUTS[output["name"]])
            start += size
        return str(header["model_version"]), {name: outputs[name] for name in _OUTPUTS}
    except (KeyError, TypeError, ValueError) as exc:
        message = f"Serving's answer does not follow the Open Inference Protocol: {exc!r}."
        raise ServiceError(message) from exc
