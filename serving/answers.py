"""Answers as JSON."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from contracts import FactoryError

from .statuses import headers_of, status_of

JSON = "application/json"
OCTETS = "application/octet-stream"


def answer(content: object, status: int = 200) -> Response:
    """Return an answer of plain data, models and NumPy arrays; NaN becomes ``null``."""
    body = orjson.dumps(content, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, media_type=JSON)


def answer_error(error: FactoryError) -> Response:
    """Return what a client is told of an error."""
    return Response(error_body(str(error)), status_of(error), headers=headers_of(error), media_type=JSON)


def error_body(message: str) -> bytes:
    """Return the body of every error: ``{"error": ...}``."""
    return orjson.dumps({"error": message})


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError
