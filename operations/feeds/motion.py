"""Motion gating: a frame in which nothing moved since the last look need not be looked at again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GRID = 32
_MOVED = 6.0
"""Grey levels by which a cell must differ beyond the whole picture's change, which is light, not motion."""


class MotionGate:
    """Compares coarse grey pictures.

    Args:
        share: of cells that must have changed.
        every_s: look at least so often, moved or not.
    """

    def __init__(self, share: float, every_s: float) -> None:
        self._share = share
        self._every_ms = every_s * 1000
        self._seen: NDArray[np.float32] | None = None
        self._looked_ms = 0

    def wants(self, time_ms: int, pixels: NDArray[np.uint8]) -> bool:
        """Return whether a frame is to be looked at, and remember it if so."""
        coarse = _coarsen(pixels)
        seen = self._seen
        if seen is not None and time_ms - self._looked_ms < self._every_ms and not self._moved(seen, coarse):
            return False
        self._seen, self._looked_ms = coarse, time_ms
        return True

    def _moved(self, seen: NDArray[np.float32], coarse: NDArray[np.float32]) -> bool:
        if seen.shape != coarse.shape:
            return True
        change = coarse - seen
        return bool((np.abs(change - np.median(change)) > _MOVED).mean() > self._share)


def _coarsen(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a coarse grey picture: means of blocks, at most 32 across."""
    height, width = pixels.shape[:2]
    block = max(1, -(-max(height, width) // GRID))
    grey = pixels[..., 1]  # green carries most of the light
    rows, columns = height // block * block, width // block * block
    if not rows or not columns:
        return grey.astype(np.float32)
    blocks = grey[:rows, :columns].reshape(rows // block, block, columns // block, block)
    means: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means
