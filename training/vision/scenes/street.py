"""The street itself: sky, house fronts, pavements, road and the fire lane's marking."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image

from .canvas import Canvas, Colour, shade
from .scene import Light, Scene, Side, Weather

FAR_M = 90.0
NEAR_M = 2.4
_SKY_COARSER = 8
"""The sky has no edges: it is painted so many times smaller."""
_FRONTS: tuple[Colour, ...] = (
    (188, 150, 122),
    (204, 190, 166),
    (160, 142, 128),
    (176, 108, 88),
    (214, 204, 190),
    (140, 150, 158),
    (196, 172, 138),
)
_SKIES: dict[tuple[Light, Weather], tuple[Colour, Colour]] = {
    (Light.DAY, Weather.DRY): ((112, 164, 218), (222, 234, 240)),
    (Light.DAY, Weather.RAIN): ((138, 146, 154), (186, 190, 192)),
    (Light.NIGHT, Weather.DRY): ((62, 72, 104), (120, 112, 118)),
    (Light.NIGHT, Weather.RAIN): ((60, 66, 84), (104, 102, 108)),
}
_ASPHALT: Colour = (98, 99, 102)
_WET: Colour = (78, 82, 88)
_STONE: Colour = (168, 162, 152)
_MARKING: Colour = (222, 176, 46)
_LAWN: Colour = (98, 142, 72)
_CRANE: Colour = (206, 150, 40)


def paint_street(canvas: Canvas, scene: Scene) -> None:
    """Paint everything that does not stand on the ground."""
    random = np.random.default_rng(scene.seed)
    _paint_sky(canvas, scene, random)
    for side, lining in ((-1, scene.street.left), (1, scene.street.right)):
        _LININGS[lining](canvas, scene, side, random)
    _paint_ground(canvas, scene)
    _paint_lane(canvas, scene)


def _paint_sky(canvas: Canvas, scene: Scene, random: np.random.Generator) -> None:
    top, low = (np.array(colour, np.float64) for colour in _SKIES[scene.light, scene.weather])
    width, height = canvas.colour.size
    rows, columns = height // _SKY_COARSER, width // _SKY_COARSER
    share = np.linspace(0, 1, rows)[:, None, None] / max(scene.camera.horizon, 0.1)
    sky = np.broadcast_to(top + (low - top) * share.clip(0, 1), (rows, columns, 3))
    if scene.weather is Weather.DRY and scene.light is Light.DAY:
        coarse = Image.fromarray((random.random((5, 9)) * 255).astype(np.uint8))
        clouds = np.asarray(coarse.resize((columns, rows), Image.Resampling.BICUBIC)) / 255.0
        cover = ((clouds - 0.55) * 2.2).clip(0, 0.8)[..., None]
        sky = sky * (1 - cover) + 250 * cover
    smooth = Image.fromarray(sky.clip(0, 255).astype(np.uint8))
    canvas.colour.paste(smooth.resize((width, height), Image.Resampling.BILINEAR))


def _paint_fronts(canvas: Canvas, scene: Scene, side: int, random: np.random.Generator) -> None:
    """Paint one row of houses, the farthest first."""
    edges = [NEAR_M]
    while edges[-1] < FAR_M:
        edges.append(edges[-1] * random.uniform(1.25, 1.6) + 2)
    houses = [
        (near, far, random.uniform(7, 17), _FRONTS[random.integers(len(_FRONTS))], int(random.integers(2**31)))
        for near, far in pairwise(edges)
    ]
    x = side * _front_m(scene)
    for near, far, tall, colour, seed in reversed(houses):
        camera = scene.camera
        haze = min(1.0, near / FAR_M) * 0.5
        wall = shade([part * (1 - haze) + 200 * haze for part in colour], 0.92 if side > 0 else 1.06)
        wall_points = [
            camera.project(x, near),
            camera.project(x, far),
            camera.project(x, far, tall),
            camera.project(x, near, tall),
        ]
        canvas.polygon(wall_points, wall)
        cap = [camera.project(x, z, up) for z, up in ((near, tall), (far, tall), (far, tall - 0.5), (near, tall - 0.5))]
        canvas.polygon(cap, shade(wall, 0.8))
        _paint_windows(canvas, scene, x, (near, far, tall), np.random.default_rng(seed))


def _paint_park(canvas: Canvas, scene: Scene, side: int, random: np.random.Generator) -> None:
    """Paint a lawn behind a hedge, with a row of distant trees."""
    camera, x = scene.camera, side * _front_m(scene)
    canvas.polygon(
        camera.quad(min(x, side * 60.0), max(x, side * 60.0), NEAR_M, FAR_M), shade(_LAWN, random.uniform(0.8, 1.15))
    )
    for z in np.geomspace(70, 8, 22):
        far_x = x + side * random.uniform(2, 9)
        scale = camera.scale(z)
        leaf = shade((64, 104, 54), random.uniform(0.6, 1.2) + 0.3 * z / FAR_M)
        canvas.ellipse(camera.project(far_x, z, 3.2), random.uniform(1.2, 2.4) * scale, 2.2 * scale, leaf)
    tall = random.uniform(0.7, 1.3)
    for near, far in pairwise(np.geomspace(FAR_M, NEAR_M, 30)):
        hedge = [camera.project(x, z, up) for z, up in ((near, 0), (far, 0), (far, tall), (near, tall))]
        canvas.polygon(hedge, shade(_LAWN, random.uniform(0.55, 0.75)))


def _paint_wall(canvas: Canvas, scene: Scene, side: int, random: np.random.Generator) -> None:
    """Paint a long wall of bricks or concrete, with a building site's crane behind it at times."""
    camera, x = scene.camera, side * _front_m(scene)
    tall, colour = random.uniform(2.2, 4.5), _FRONTS[random.integers(len(_FRONTS))]
    for near, far in pairwise(np.geomspace(FAR_M, NEAR_M, 18)):
        panel = [camera.project(x, z, up) for z, up in ((near, 0), (far, 0), (far, tall), (near, tall))]
        canvas.polygon(panel, shade(colour, random.uniform(0.85, 1.0)))
    for up in np.arange(0.5, tall, 0.5):
        canvas.line(camera.project(x, NEAR_M, up), camera.project(x, FAR_M, up), shade(colour, 0.75), 0.5)
    if random.random() < 0.5:  # noqa: PLR2004 - every second wall
        mast_x, z = x + side * random.uniform(6, 16), random.uniform(30, 60)
        top = camera.project(mast_x, z, 26)
        canvas.line(camera.project(mast_x, z, 0), top, _CRANE, 0.7 * camera.scale(z))
        canvas.line(
            camera.project(mast_x - 14, z, 25), camera.project(mast_x + 7, z, 25), _CRANE, 0.5 * camera.scale(z)
        )


def _front_m(scene: Scene) -> float:
    """Return the distance from the middle of the road to where the pavement ends."""
    return scene.street.road_m + scene.street.pavement_m


def _paint_windows(
    canvas: Canvas, scene: Scene, x: float, house: tuple[float, float, float], random: np.random.Generator
) -> None:
    near, far, tall = house
    camera = scene.camera
    for z in np.arange(near + 1.0, min(far - 1.2, 45.0), 3.2):
        for up in np.arange(1.0, tall - 2.2, 3.1):
            shop = up < 2  # noqa: PLR2004 - the ground floor has larger panes
            wide, high = (2.2, 1.9) if shop else (1.3, 1.6)
            pane = [
                camera.project(x, a, b) for a, b in ((z, up), (z + wide, up), (z + wide, up + high), (z, up + high))
            ]
            lit = random.random() < (0.6 if shop else 0.3)
            glass = shade((92, 112, 130), random.uniform(0.7, 1.25))
            canvas.polygon(pane, glass)
            if lit and scene.light is Light.NIGHT:
                canvas.shine(pane, shade((255, 205, 120), random.uniform(0.45, 1.0)))


def _paint_ground(canvas: Canvas, scene: Scene) -> None:
    camera = scene.camera
    wet = scene.weather is Weather.RAIN
    for side in (-1, 1):
        inner, outer = side * scene.street.road_m, side * _front_m(scene)
        canvas.polygon(camera.quad(inner, outer, NEAR_M, FAR_M), shade(_STONE, 0.78 if wet else 1.0))
        for z in np.geomspace(NEAR_M, 40, 26):
            canvas.line(camera.project(inner, z), camera.project(outer, z), shade(_STONE, 0.72 if wet else 0.88), 0.6)
        kerb = [
            camera.project(inner, NEAR_M),
            camera.project(inner, FAR_M),
            camera.project(inner, FAR_M, 0.16),
            camera.project(inner, NEAR_M, 0.16),
        ]
        canvas.polygon(kerb, shade(_STONE, 0.6))
    road = shade(_WET if wet else _ASPHALT, scene.street.asphalt)
    half = scene.street.road_m
    for near, far in pairwise(np.geomspace(NEAR_M, FAR_M, 25)):
        canvas.polygon(camera.quad(-half, half, near, far), shade(road, 0.92 + 0.25 * near / FAR_M))
    for z in np.arange(4.0, 70.0, 6.0):
        canvas.polygon(camera.quad(-0.08, 0.08, z, z + 3), (214, 214, 208))


def _paint_lane(canvas: Canvas, scene: Scene) -> None:
    """Paint the hatched marking of the fire lane."""
    camera = scene.camera
    left, right, near, far = scene.street.lane_m
    width = 0.1 * camera.scale((near + far) / 2)
    corners = camera.quad(left, right, near, far)
    for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
        canvas.line(start, end, _MARKING, width)
    for z in np.arange(near, far - 1, 1.5):
        canvas.line(camera.project(left, z), camera.project(right, z + 1.5), _MARKING, width * 0.8)


_LININGS: dict[Side, Callable[[Canvas, Scene, int, np.random.Generator], None]] = {
    Side.HOUSES: _paint_fronts,
    Side.PARK: _paint_park,
    Side.WALL: _paint_wall,
}
