"""Masks of things: from labelled outlines and from what a segmenter answers, packed as COCO packs them (run lengths).

A segmenter's mask is a small picture that is stretched over its box; see :mod:`models.vision.segmenter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as coco_mask
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from contracts import Array

from .dataset import Outline

Mask = dict[str, Any]
"""Run lengths of COCO: ``size`` (height, width) and ``counts``."""
INSIDE = 0.5


def draw_outline(outline: Outline, width: int, height: int) -> Mask:
    """Return the mask of what an outline encloses, in a picture of so many pixels."""
    flat = [(part * [width, height]).ravel().tolist() for part in outline]
    mask: Mask = coco_mask.merge(coco_mask.frPyObjects(flat, height, width))
    return mask


def stretch_mask(mask: Array, box: Array, width: int, height: int) -> Mask:
    """Stretch an answered mask over its box.

    Args:
        mask: (row, column) within 0 and 1.
        box: left, top, right, bottom in pixels.
        width: of the picture.
        height: of the picture.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    columns = np.arange(max(0, int(left)), min(width, int(np.ceil(right))))
    rows = np.arange(max(0, int(top)), min(height, int(np.ceil(bottom))))
    whole = np.zeros((height, width), np.uint8, order="F")
    if len(columns) and len(rows):
        at = np.meshgrid(
            (rows + 0.5 - top) / max(bottom - top, 1e-6) * mask.shape[0] - 0.5,
            (columns + 0.5 - left) / max(right - left, 1e-6) * mask.shape[1] - 0.5,
            indexing="ij",
        )
        inside = map_coordinates(np.asarray(mask, np.float32), at, order=1, mode="nearest") >= INSIDE
        whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = inside
    packed: Mask = coco_mask.encode(whole)
    return packed


def unpack_mask(mask: Mask) -> NDArray[np.bool_]:
    """Return a mask as (height, width)."""
    return np.asarray(coco_mask.decode(mask), dtype=bool)


def mask_area(mask: Mask) -> float:
    """Return how many pixels a mask covers."""
    return float(coco_mask.area(mask))


def join_outline(outline: Outline) -> NDArray[np.float64]:
    """Return an outline of several parts as one polygon (point, 2): bridges without width join the nearest points."""
    joined = outline[0]
    for part in outline[1:]:
        apart = ((joined[:, None] - part[None]) ** 2).sum(axis=2)  # (point, point)
        here, there = np.unravel_index(int(apart.argmin()), apart.shape)
        around = np.concatenate([part[there:], part[: there + 1]])  # back to where it began
        joined = np.concatenate([joined[: here + 1], around, joined[here:]])
    return joined


def outline_area(points: Sequence[Sequence[float]] | NDArray[np.float64]) -> float:
    """Return the area that a polygon (point, 2) encloses, whichever way round it is drawn."""
    closed = [*points, points[0]]
    return abs(sum(float(a[0]) * float(b[1]) - float(b[0]) * float(a[1]) for a, b in pairwise(closed))) / 2
