"""Geometry of a fixed camera: polygons and lines in shares of the picture, and the way from there to the ground.

A point is (x, y) as shares of width and height, so that a camera may change its resolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Place = Sequence[float] | Points
_SMALLEST_PIVOT = 1e-9
CALIBRATION_POINTS = 4


def foot_points(boxes: Points) -> Points:
    """Return where boxes stand: the middle of their lower edges, shape (box, 2)."""
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)


def lie_within(points: Points, polygon: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Return which points lie within a polygon (even-odd rule), shape (point,)."""
    x, y = points[:, 0], points[:, 1]
    corners = np.asarray(polygon, np.float64)
    inside = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


def polygon_area(polygon: Points) -> float:
    """Return the area of a simple polygon (shoelace formula)."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def side_of(point: Place, start: Place, end: Place) -> float:
    """Return on which side of a line a point lies: positive to the right of it as drawn, looking from start to end."""
    return float((end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0]))


def crosses_between(before: Place, after: Place, start: Place, end: Place) -> bool:
    """Return whether the way from one point to another crosses the segment."""
    along = side_of(start, before, after) * side_of(end, before, after)
    across = side_of(before, start, end) * side_of(after, start, end)
    return along < 0 and across < 0


class Ground:
    """The ground plane of a fixed camera: from shares of the picture to metres.

    Args:
        points: at least four points of the picture that lie on the ground, no three on one line.
        metres: where they lie on the ground.

    Raises:
        ValueError: if the points do not fix a plane.
    """

    def __init__(self, points: Sequence[tuple[float, float]], metres: Sequence[tuple[float, float]]) -> None:
        if len(points) != len(metres) or len(points) < CALIBRATION_POINTS:
            message = (
                f"needs at least {CALIBRATION_POINTS} points and as many places, given {len(points)}, {len(metres)}"
            )
            raise ValueError(message)
        rows = []
        for (x, y), (u, v) in zip(points, metres, strict=True):
            rows.append([-x, -y, -1, 0, 0, 0, u * x, u * y, u])
            rows.append([0, 0, 0, -x, -y, -1, v * x, v * y, v])
        _, sizes, directions = np.linalg.svd(np.asarray(rows, np.float64))
        if sizes[7] < _SMALLEST_PIVOT * sizes[0]:
            message = "points that lie on one line, or twice in one place, fix no plane"
            raise ValueError(message)
        self._matrix = directions[-1].reshape(3, 3)

    def to_metres(self, points: Points) -> Points:
        """Return where points of the picture lie on the ground, shape (point, 2); NaN on and above the horizon."""
        lifted = np.column_stack([points, np.ones(len(points))]) @ self._matrix.T  # (point, 3)
        depth = lifted[:, 2]
        sign = np.sign(self._matrix[2] @ np.array([0.5, 1.0, 1.0]))  # the foot of the picture is ground
        visible = depth * sign > _SMALLEST_PIVOT
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(visible[:, None], lifted[:, :2] / depth[:, None], np.nan)

    def area_m2(self, polygon: Sequence[tuple[float, float]]) -> float:
        """Return the area of a polygon of the picture on the ground."""
        return polygon_area(self.to_metres(np.asarray(polygon, np.float64)))
