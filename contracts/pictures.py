"""Pictures: one way from the bytes of a JPEG or PNG to an array, shared by training, serving and live feeds.

Bytes in, array out: no file is opened here. A picture that cannot be trusted is refused, never guessed at.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import DataError

MAXIMUM_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG")
_COLOUR_MODES = frozenset({"RGB", "RGBA", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "HSV", "LAB"})


def decode_picture(
    data: bytes, *, name: str = "The picture", maximum_pixels: int = MAXIMUM_PIXELS
) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG, the right way up.

    EXIF rotation is honoured; grey, palette and CMYK pictures become RGB; transparency is dropped.

    Args:
        data: the whole file.
        name: what to call it in an error.
        maximum_pixels: refuse larger pictures before a pixel is decoded.

    Returns:
        uint8, shape ``(height, width, 3)``, RGB.

    Raises:
        DataError: if it is no JPEG or PNG, truncated, too large, or of a mode that has no 8-bit colours.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            check_picture(picture, name=name, maximum_pixels=maximum_pixels)
            ImageOps.exif_transpose(picture, in_place=True)
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except UnidentifiedImageError as exc:
        message = f"{name} is neither JPEG nor PNG; its first bytes are {data[:8]!r}. Send one of these formats."
        raise DataError(message) from exc
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        message = f"{name} holds more than {maximum_pixels:,} pixels. Scale it down before sending."
        raise DataError(message) from exc
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as exc:  # how Pillow reports broken data
        message = f"{name} is broken or truncated ({exc}). Send the whole file again."
        raise DataError(message) from exc


def check_picture(picture: Image.Image, *, name: str, maximum_pixels: int = MAXIMUM_PIXELS) -> None:
    """Check size and colour mode of an opened picture, before any pixel is decoded.

    Raises:
        DataError: if it is too large, empty, or of a mode that has no 8-bit colours.
    """
    width, height = picture.size
    if width * height > maximum_pixels:
        message = f"{name} is {width}x{height} pixels, more than the {maximum_pixels:,} allowed. Scale it down."
        raise DataError(message)
    if picture.mode not in _COLOUR_MODES:
        message = f"{name} has the colour mode {picture.mode!r}, which has no 8-bit colours. Convert it to RGB."
        raise DataError(message)
