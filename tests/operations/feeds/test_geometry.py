from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.feeds.geometry import Ground, crosses_between, foot_points, lie_within, polygon_area

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))


def seen_from_above(x_m: float, z_m: float) -> tuple[float, float]:
    """Where a point on the ground is in the picture of a camera 5 m up that looks at the horizon."""
    return 0.5 + x_m / z_m * 0.8, 0.3 + 5 / z_m * 0.8


CORNERS = ((-3.0, 8.0), (3.0, 8.0), (4.0, 20.0), (-4.0, 20.0), (0.0, 12.0))


@given(st.floats(-4, 4), st.floats(7, 60))
def test_four_known_points_tell_where_all_others_lie(x_m: float, z_m: float) -> None:
    ground = Ground([seen_from_above(*corner) for corner in CORNERS], CORNERS)
    found = ground.to_metres(np.array([seen_from_above(x_m, z_m)]))
    np.testing.assert_allclose(found, [[x_m, z_m]], rtol=1e-6, atol=1e-6)


def test_above_the_horizon_there_is_no_ground() -> None:
    ground = Ground([seen_from_above(*corner) for corner in CORNERS], CORNERS)
    assert np.isnan(ground.to_metres(np.array([[0.5, 0.1]]))).all()


def test_areas_are_in_square_metres() -> None:
    ground = Ground([seen_from_above(*corner) for corner in CORNERS], CORNERS)
    zone = [seen_from_above(*corner) for corner in ((-2, 8), (2, 8), (2, 18), (-2, 18))]
    assert ground.area_m2(zone) == pytest.approx(40)
    assert polygon_area(np.array(SQUARE)) == pytest.approx(0.36)


def test_points_on_one_line_fix_no_plane() -> None:
    with pytest.raises(ValueError, match="fix no plane"):
        Ground([(0.1, 0.1), (0.2, 0.2), (0.3, 0.3), (0.4, 0.4)], [(1, 1), (2, 2), (3, 3), (4, 4)])
    with pytest.raises(ValueError, match="needs at least 4"):
        Ground([(0.1, 0.1)], [(1, 1)])


def test_who_stands_in_a_zone() -> None:
    boxes = np.array([[0.4, 0.1, 0.6, 0.5], [0.4, 0.1, 0.6, 0.9]])
    assert lie_within(foot_points(boxes), SQUARE).tolist() == [True, False]
    hollow = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0))
    assert lie_within(np.array([[0.5, 0.9], [0.5, 0.3]]), hollow).tolist() == [False, True]


def test_ways_over_a_line() -> None:
    start, end = (0.5, 0.0), (0.5, 1.0)
    assert crosses_between((0.4, 0.5), (0.6, 0.5), start, end)
    assert not crosses_between((0.4, 0.5), (0.45, 0.5), start, end)
    assert not crosses_between((0.4, 1.2), (0.6, 1.2), start, end)
