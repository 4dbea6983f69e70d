"""Films and cameras for tests: a bright square that wanders over a grey picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from operations.feeds.cameras import CameraSettings

SIGN = {"sign": "street.people", "measure": "count"}


def pictures(count: int, width: int = 160, height: int = 120) -> Iterator[np.ndarray]:
    """Yield pictures in which a square moves to the right."""
    for number in range(count):
        pixels = np.full((height, width, 3), 90, np.uint8)
        left = (4 * number) % (width - 30)
        pixels[height // 3 : height // 3 + 30, left : left + 30] = 230
        yield pixels


def write_film(path: Path, frames: Iterator[np.ndarray], fps: int = 10, codec: str = "mpeg4") -> Path:
    """Write a film; every twelfth frame stands alone."""
    with av.open(str(path), "w") as container:
        stream = None
        for pixels in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=fps)
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt, stream.gop_size = "yuv420p", 12
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def camera(url: Path | str, **others: object) -> CameraSettings:
    """Return a camera that counts people."""
    values = {"id": "street.cam", "url": str(url), "model": "street.watch", "pace": "fast", "sign": [SIGN]}
    return CameraSettings.model_validate(values | others)
