"""JSON as it is kept: exact floats, no NaN, and errors that name what cannot be kept.

Python writes a float with the fewest digits that read back as the same float, so state survives a
restart to the last digit.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts import StoreError

_Model = TypeVar("_Model", bound=BaseModel)


def encode(value: object, what: str) -> str:
    """Return a value as JSON, its keys in the order given.

    Args:
        value: nothing but dicts with string keys, lists, strings, finite numbers, booleans and None.
        what: names the value in an error.

    Raises:
        StoreError: if it holds NaN, an infinity, or anything that is no JSON.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as exc:
        message = f"{what} cannot be kept as JSON: {exc}. Use None for a missing number, and plain lists and dicts."
        raise StoreError(message) from exc


def decode(text: str, what: str) -> Any:
    """Return the value of a kept JSON text.

    Raises:
        StoreError: if the text was damaged.
    """
    try:
        return json.loads(text)
    except ValueError as exc:
        message = f"{what} is damaged in the store: {exc}. Restore the store from a backup."
        raise StoreError(message) from exc


def encode_model(model: BaseModel, what: str) -> str:
    """Return a model as JSON; see :func:`encode`."""
    return encode(model.model_dump(mode="json"), what)


def decode_model(kind: type[_Model], text: str, what: str) -> _Model:
    """Return the model of a kept JSON text.

    Raises:
        StoreError: if the text was damaged.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as exc:
        problems = "; ".join(error["msg"] for error in exc.errors(include_url=False)[:3])
        message = f"{what} is damaged in the store: {problems}. Restore the store from a backup."
        raise StoreError(message) from exc
