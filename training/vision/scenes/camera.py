"""The camera that a scene is drawn through: a pinhole above the street, looking along it."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera over flat ground.

    Ground coordinates are metres: ``x`` to the right of the camera, ``z`` away from it.

    Attributes:
        width_px: of the picture.
        height_px: of the picture.
        horizon: height of the horizon as a share of the picture's height, from the top.
        above_m: how high the camera hangs.
        focal: focal length in picture widths.
        centre: where the street runs to, as a share of the picture's width.
    """

    width_px: int = 448
    height_px: int = 336
    horizon: float = 0.30
    above_m: float = 4.5
    focal: float = 0.9
    centre: float = 0.5

    def project(self, x_m: float, z_m: float, up_m: float = 0.0) -> Point:
        """Return the pixel of a point ``up_m`` metres above the ground."""
        scale = self.scale(z_m)
        return (
            self.centre * self.width_px + x_m * scale,
            self.horizon * self.height_px + (self.above_m - up_m) * scale,
        )

    def scale(self, z_m: float) -> float:
        """Return the pixels of one metre at a distance."""
        return self.focal * self.width_px / z_m

    def quad(self, left_m: float, right_m: float, near_m: float, far_m: float, up_m: float = 0.0) -> list[Point]:
        """Return the corners of a rectangle that lies flat: near left, near right, far right, far left."""
        return [
            self.project(left_m, near_m, up_m),
            self.project(right_m, near_m, up_m),
            self.project(right_m, far_m, up_m),
            self.project(left_m, far_m, up_m),
        ]
