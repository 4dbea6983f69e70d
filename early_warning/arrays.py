"""Arrays in JSON: exact to the last bit, compact, the same bytes on every machine."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import DataError

_LITTLE_ENDIAN = np.dtype("<f4")


def pack_array(array: NDArray[np.float32]) -> dict[str, Any]:
    """Return a float32 array as JSON: its shape, and its bytes in base64."""
    data = np.ascontiguousarray(array, dtype=_LITTLE_ENDIAN).tobytes()
    return {"shape": list(array.shape), "float32": base64.b64encode(data).decode("ascii")}


def unpack_array(value: dict[str, Any]) -> NDArray[np.float32]:
    """Return the array that :func:`pack_array` packed.

    Raises:
        DataError: if the value is not such an array.
    """
    try:
        data = base64.b64decode(value["float32"], validate=True)
        return np.frombuffer(data, dtype=_LITTLE_ENDIAN).astype(np.float32).reshape(value["shape"])
    except (KeyError, TypeError, ValueError) as exc:
        message = (
            f"The state holds no packed array where one is due, but {str(value)[:80]!r}. Restore it from a backup."
        )
        raise DataError(message) from exc
