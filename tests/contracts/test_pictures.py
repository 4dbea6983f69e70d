from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from contracts import DataError, decode_picture


def encode(picture: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def gradient(mode: str = "RGB", width: int = 32, height: int = 16) -> Image.Image:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def test_png_comes_back_to_the_last_bit():
    picture = gradient()
    decoded = decode_picture(encode(picture, "PNG"))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, np.asarray(picture))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "LA", "1"])
def test_other_modes_become_rgb(mode: str):
    assert decode_picture(encode(gradient(mode), "PNG")).shape == (16, 32, 3)


def test_cmyk_jpeg_becomes_rgb():
    decoded = decode_picture(encode(gradient("CMYK"), quality=95))
    assert decoded.shape == (16, 32, 3)
    red, green = decoded[8, 31, :2]
    assert red > 200
    assert green < 60


def test_exif_rotation_is_honoured():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown rotated by 90 degrees clockwise
    decoded = decode_picture(encode(gradient(), exif=exif, quality=95))
    assert decoded.shape == (32, 16, 3)
    assert decoded[31, 8, 0] > 200
    assert decoded[0, 8, 0] < 50


def test_truncated_jpeg_is_refused():
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    with pytest.raises(DataError, match="broken or truncated"):
        decode_picture(encode(noise)[:1500])


@pytest.mark.parametrize("data", [b"", b"GIF89a\x01\x00\x01\x00", b"hello"])
def test_other_formats_are_refused(data: bytes):
    with pytest.raises(DataError, match="neither JPEG nor PNG"):
        decode_picture(data)


def test_large_pictures_are_refused_before_they_are_decoded():
    data = encode(Image.new("1", (12_000, 9_000)), "PNG")  # 108 megapixels in a few kilobytes
    assert len(data) < 100_000
    with pytest.raises(DataError, match="pixels"):
        decode_picture(data)
    with pytest.raises(DataError, match="32x16 pixels, more than the 100 allowed"):
        decode_picture(encode(gradient()), maximum_pixels=100)


def test_sixteen_bit_pictures_are_refused():
    deep = Image.fromarray(np.zeros((4, 4), np.uint16))
    with pytest.raises(DataError, match="'I;16'"):
        decode_picture(encode(deep, "PNG"))
