"""Blurring: the share of faces that a kept frame would hide.

Faces with a place that is known come by package, with scikit-image: one hundred small grey faces of Labeled Faces in
the Wild (25 px, enlarged to five sizes and pasted into street pictures) and the portrait of an astronaut (five sizes,
its face's place drawn by hand). A face counts as hidden if a blurred region holds its middle and covers half of it.
That is an easy set: frontal, lit, in the open. No figure is claimed for faces from the side, masked or far away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from contracts import decode_picture
from operations.feeds.privacy import FaceFinder, enlarge

from .part import Figures, Options, say

KEYS = ("face_recall",)
SIZES_PX = (24, 32, 48, 64, 96)
FACES = 100
"""The first hundred of the set are faces, the other hundred are not."""
ASTRONAUT = (177.0, 56.0, 275.0, 180.0)
MOST_UNCOVERED = 0.5

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]


def measure(options: Options) -> Figures:
    """Count hidden faces by size, and regions blurred for nothing."""
    finder = FaceFinder()
    streets = sorted((options.need("potholes") / "images" / "test").glob("*.jpg"))[:FACES]
    hidden = total = 0
    for size in SIZES_PX:
        shown = [
            _paste(decode_picture(path.read_bytes()), face, size) for path, face in zip(streets, _faces(), strict=False)
        ]
        shown.append(_shrink(size))
        found = sum(_is_hidden(finder, pixels, box) for pixels, box in shown)
        say(f"faces: {found} of {len(shown)} hidden at {size} px")
        hidden, total = hidden + found, total + len(shown)
    wrong = sum(len(finder.find(decode_picture(path.read_bytes()))) for path in streets)
    say(f"faces: {wrong} regions blurred for nothing in {len(streets)} street pictures without faces")
    return {"face_recall": hidden / total}


def _faces() -> list[Pixels]:
    crops = (data.lfw_subset()[:FACES] * 255).astype(np.uint8)
    return [np.repeat(crop[..., None], 3, axis=2) for crop in crops]


def _paste(street: Pixels, face: Pixels, size: int) -> tuple[Pixels, Box]:
    """Paste a face into the middle of a street picture."""
    pixels = street.copy()
    height, width = pixels.shape[:2]
    left, top = (width - size) // 2, (height - size) // 2
    pixels[top : top + size, left : left + size] = np.asarray(Image.fromarray(face).resize((size, size)))
    return pixels, (float(left), float(top), float(left + size), float(top + size))


def _shrink(size: int) -> tuple[Pixels, Box]:
    """Scale the astronaut so that the face is as wide as asked."""
    pixels = data.astronaut()
    factor = size / (ASTRONAUT[2] - ASTRONAUT[0])
    side = max(32, round(pixels.shape[0] * factor))
    scaled = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX))
    left, top, right, bottom = (edge * side / pixels.shape[0] for edge in ASTRONAUT)
    return scaled, (left, top, right, bottom)


def _is_hidden(finder: FaceFinder, pixels: Pixels, box: Box) -> bool:
    left, top, right, bottom = box
    covered = np.zeros(pixels.shape[:2], bool)
    for x1, y1, x2, y2 in enlarge(finder.find(pixels)):
        covered[max(0, int(y1)) : int(np.ceil(y2)), max(0, int(x1)) : int(np.ceil(x2))] = True
    inner = covered[int(top) : int(bottom), int(left) : int(right)]
    middle = covered[int((top + bottom) / 2), int((left + right) / 2)]
    return bool(middle and inner.mean() >= 1 - MOST_UNCOVERED)
