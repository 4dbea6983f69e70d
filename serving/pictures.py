"""Pictures from a request: looked at before they are decoded, and never more at once than memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import MAXIMUM_PIXELS, OverloadedError, PictureHeader, decode_picture, read_header

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

    def header(self) -> PictureHeader:
        """Return what it says of itself.

        Raises:
            DataError: if it cannot be used, saying why.
        """
        return read_header(self.data, name=self.name, strict=True)

    def decode(self) -> NDArray[np.uint8]:
        """Return its pixels, uint8, shape (height, width, 3), RGB, the right way up.

        Raises:
            DataError: if it is damaged behind its header.
        """
        return decode_picture(self.data, name=self.name, strict=True)


class PixelBudget:
    """How many pixels may be held at once. Used on the event loop alone.

    Args:
        pixels: of all pictures that are decoded and not yet answered.
    """

    def __init__(self, pixels: int = PIXELS_AT_ONCE) -> None:
        self._free = pixels

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Hold pixels until the end of the block.

        Raises:
            OverloadedError: if too many are held already.
        """
        if pixels > self._free:
            message = "Too many pictures are being looked at."
            raise OverloadedError(message, _RETRY_AFTER_S)
        self._free -= pixels
        try:
            yield
        finally:
            self._free += pixels
