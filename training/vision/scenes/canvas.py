"""The canvas: colour, what glows by itself, and who owns each pixel, drawn together at twice the size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .camera import Camera, Point

FINER = 2
"""Drawn so many times larger and scaled down: Pillow draws hard edges."""

Colour = tuple[int, int, int]


class Canvas:
    """Layers of one picture; points are in pixels of the finished picture.

    Args:
        camera: whose picture is drawn.
    """

    def __init__(self, camera: Camera) -> None:
        size = (camera.width_px * FINER, camera.height_px * FINER)
        self.colour = Image.new("RGB", size, (0, 0, 0))
        self.glow = Image.new("RGB", size, (0, 0, 0))
        self.owners = Image.new("L", size, 0)
        self.owner = 0
        self._colour = ImageDraw.Draw(self.colour)
        self._glow = ImageDraw.Draw(self.glow)
        self._owners = ImageDraw.Draw(self.owners)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        fine = _fine(points)
        self._colour.polygon(fine, fill=colour)
        self._glow.polygon(fine, fill=(0, 0, 0))
        self._owners.polygon(fine, fill=self.owner)

    def ellipse(self, centre: Point, radius_x: float, radius_y: float, colour: Colour) -> None:
        """Fill an ellipse."""
        (x, y) = centre
        box = _fine([(x - radius_x, y - radius_y), (x + radius_x, y + radius_y)])
        self._colour.ellipse(box, fill=colour)
        self._glow.ellipse(box, fill=(0, 0, 0))
        self._owners.ellipse(box, fill=self.owner)

    def line(self, start: Point, end: Point, colour: Colour, width_px: float) -> None:
        """Draw a line."""
        width = max(1, round(width_px * FINER))
        self._colour.line(_fine([start, end]), fill=colour, width=width)
        self._owners.line(_fine([start, end]), fill=self.owner, width=width)

    def shine(self, points: Sequence[Point], colour: Colour) -> None:
        """Let a polygon glow by night."""
        self._glow.polygon(_fine(points), fill=colour)

    def shine_round(self, centre: Point, radius: float, colour: Colour) -> None:
        """Let a disc glow by night."""
        (x, y) = centre
        self._glow.ellipse(_fine([(x - radius, y - radius), (x + radius, y + radius)]), fill=colour)

    def mask(self, owner: int) -> NDArray[np.bool_]:
        """Return where an owner is seen, at the fine size."""
        return np.asarray(self.owners) == owner


def _fine(points: Sequence[Point]) -> list[Point]:
    return [(x * FINER, y * FINER) for x, y in points]


def shade(colour: Sequence[float], factor: float) -> Colour:
    """Return a colour made lighter or darker."""
    red, green, blue = (round(min(255.0, max(0.0, part * factor))) for part in colour)
    return red, green, blue
