"""Pictures: one way from the bytes of a JPEG or PNG to an array, shared by training, serving and live feeds.

Bytes in, array out: no file is opened here. A picture that cannot be trusted is refused, never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from .errors import DataError

MAXIMUM_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG")
_COLOUR_MODES = frozenset({"RGB", "RGBA", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "HSV", "LAB"})


_JPEG_START = b"\xff\xd8"
_FLIPS = {
    2: (False, True),
    3: (True, True),
    4: (True, False),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}
"""Orientation → whether to reverse rows and columns, after the exchange of rows and columns from 5 on."""
_FIRST_TRANSPOSED, _LAST_ORIENTATION = 5, 8
_PRINT_MODES = frozenset({"CMYK", "YCbCr", "LAB", "HSV"})
_PNG_DEPTH_BYTE, _DEEP = 24, 16
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture says of itself before a pixel is decoded.

    Attributes:
        width_px: as it is stored.
        height_px: as it is stored.
        orientation: of EXIF, 1 to 8: how it is to be turned before it is shown.
        fast: whether it is a plain JPEG in grey or colour.
    """

    width_px: int
    height_px: int
    orientation: int
    fast: bool


def decode_picture(
    data: bytes, *, name: str = "The picture", maximum_pixels: int = MAXIMUM_PIXELS, strict: bool = False
) -> Pixels:
    """Decode a JPEG or PNG, the right way up.

    EXIF rotation is honoured; grey, palette and CMYK pictures become RGB; transparency is dropped.

    Args:
        data: the whole file.
        name: what to call it in an error.
        maximum_pixels: refuse larger pictures before a pixel is decoded.
        strict: refuse what would be guessed at: several frames, colours of print, more than 8 bits a colour.

    Returns:
        uint8, shape ``(height, width, 3)``, RGB.

    Raises:
        DataError: if it is no JPEG or PNG, truncated, too large, or of a mode that has no 8-bit colours.
    """
    header = read_header(data, name=name, maximum_pixels=maximum_pixels, strict=strict)
    return _turn(_decode(data, header, name, maximum_pixels), header.orientation)


def read_header(
    data: bytes, *, name: str = "The picture", maximum_pixels: int = MAXIMUM_PIXELS, strict: bool = False
) -> PictureHeader:
    """Read and check what a picture says of itself; no pixel is decoded.

    Raises:
        DataError: as :func:`decode_picture`, but for damage behind the header.
    """
    with _explained(name, data, maximum_pixels), Image.open(BytesIO(data), formats=FORMATS) as picture:
        check_picture(picture, name=name, maximum_pixels=maximum_pixels)
        if strict:
            _check_plain(picture, data, name)
        orientation = int(picture.getexif().get(ExifTags.Base.Orientation, 1))
        fast = data[:2] == _JPEG_START and picture.mode in ("RGB", "L")
        return PictureHeader(*picture.size, orientation, fast)


def _decode(data: bytes, header: PictureHeader, name: str, maximum_pixels: int) -> Pixels:
    if header.fast:
        try:
            return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"))
        except ValueError:  # it is stricter than Pillow, which decides
            pass
    with _explained(name, data, maximum_pixels), Image.open(BytesIO(data), formats=FORMATS) as picture:
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    """Turn a picture as EXIF asks: mirrored for 2, 4, 5 and 7, with rows and columns exchanged from 5 on."""
    if not 1 < orientation <= _LAST_ORIENTATION:
        return pixels
    if orientation >= _FIRST_TRANSPOSED:
        pixels = pixels.transpose(1, 0, 2)
    rows, columns = _FLIPS[orientation]
    return np.ascontiguousarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])


@contextmanager
def _explained(name: str, data: bytes, maximum_pixels: int) -> Iterator[None]:
    """Turn what Pillow raises into errors that say what to do."""
    try:
        yield
    except UnidentifiedImageError as exc:
        message = f"{name} is neither JPEG nor PNG; its first bytes are {data[:8]!r}. Send one of these formats."
        raise DataError(message) from exc
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        message = f"{name} holds more than {maximum_pixels:,} pixels. Scale it down before sending."
        raise DataError(message) from exc
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as exc:  # how Pillow reports broken data
        message = f"{name} is broken or truncated ({exc}). Send the whole file again."
        raise DataError(message) from exc


def _check_plain(picture: Image.Image, data: bytes, name: str) -> None:
    if picture.mode in _PRINT_MODES:
        message = f"{name} has the colour mode {picture.mode!r}, whose colours depend on a profile. Convert it to RGB."
        raise DataError(message)
    if picture.format == "PNG" and data[_PNG_DEPTH_BYTE] == _DEEP:
        message = f"{name} has 16 bits a colour; detectors are given 8. Convert it to 8 bits."
        raise DataError(message)
    if picture.format == "PNG" and getattr(picture, "is_animated", False):
        message = f"{name} is animated. Send its frames one by one, or name it as a live source."
        raise DataError(message)


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
