"""Pictures on their way from a request's bytes to pixels: decoded off the event loop, never more than fit in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import MAXIMUM_PIXELS, OverloadedError, decode_picture, read_header

PIXELS_AT_ONCE = 4 * MAXIMUM_PIXELS
"""Most pixels held at once by all requests of one process: 600 MB."""
_RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture as it came.

    Attributes:
        name: what to call it in answers and errors.
        data: its bytes.
    """

    name: str
    data: bytes


class Darkroom:
    """Decodes pictures on its own threads.

    Args:
        threads: that decode.
        maximum_pixels: of one picture.
        pixels_at_once: of all that are decoded and not yet answered.
    """

    def __init__(
        self, threads: Executor, *, maximum_pixels: int = MAXIMUM_PIXELS, pixels_at_once: int = PIXELS_AT_ONCE
    ) -> None:
        self._threads = threads
        self._maximum_pixels = maximum_pixels
        self._free = pixels_at_once

    @asynccontextmanager
    async def develop(self, upload: Upload) -> AsyncIterator[NDArray[np.uint8]]:
        """Decode a picture and hold its pixels until the end of the block.

        Raises:
            DataError: if it cannot be used, saying why.
            OverloadedError: if too many pixels are held already.
        """
        header = read_header(upload.data, name=upload.name, maximum_pixels=self._maximum_pixels, strict=True)
        pixels = header.width_px * header.height_px
        if pixels > self._free:
            message = "Too many pictures are being looked at."
            raise OverloadedError(message, _RETRY_AFTER_S)
        self._free -= pixels
        try:
            yield await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, upload)
        finally:
            self._free += pixels

    def _decode(self, upload: Upload) -> NDArray[np.uint8]:
        return decode_picture(upload.data, name=upload.name, maximum_pixels=self._maximum_pixels, strict=True)
