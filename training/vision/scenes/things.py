"""What stands on the ground, each kind with its own way of being painted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .camera import Camera, Point
from .canvas import Canvas, Colour, shade
from .scene import BIN, VEHICLE, WATER, Light, Scene, Thing

_PAINTS: tuple[Colour, ...] = (
    (196, 40, 38),
    (232, 232, 230),
    (40, 44, 52),
    (38, 82, 150),
    (150, 154, 160),
    (212, 170, 48),
    (54, 110, 84),
)
_CLOTHES: tuple[Colour, ...] = ((60, 78, 120), (150, 60, 58), (70, 70, 74), (206, 196, 160), (76, 120, 90))
_LITTER: tuple[Colour, ...] = (
    (238, 238, 232),
    (206, 64, 52),
    (66, 118, 184),
    (226, 190, 60),
    (40, 40, 44),
    (176, 126, 84),
)


def paint_thing(canvas: Canvas, scene: Scene, thing: Thing) -> None:
    """Paint one thing."""
    _PAINTERS[thing.kind](canvas, scene, thing, np.random.default_rng(thing.seed))


def _block(
    canvas: Canvas, camera: Camera, span: tuple[float, float, float, float], up: tuple[float, float], colour: Colour
) -> None:
    """Paint a box: left, right, near, far on the ground, from ``up[0]`` to ``up[1]`` metres."""
    left, right, near, far = span
    low, high = up
    middle = (left + right) / 2
    side_x = left if middle > 0 else right
    side = [camera.project(side_x, z, h) for z, h in ((near, low), (far, low), (far, high), (near, high))]
    canvas.polygon(side, shade(colour, 0.72))
    canvas.polygon(camera.quad(left, right, near, far, high), shade(colour, 1.12))
    canvas.polygon(
        [camera.project(x, near, h) for x, h in ((left, low), (right, low), (right, high), (left, high))], colour
    )


def _shadow(canvas: Canvas, camera: Camera, thing: Thing, wide_m: float, deep_m: float) -> None:
    owner, canvas.owner = canvas.owner, 0
    x, y = camera.project(thing.x_m, thing.z_m + deep_m / 2)
    scale = camera.scale(thing.z_m + deep_m / 2)
    flat = deep_m / 2 * scale * camera.above_m / (thing.z_m + deep_m / 2)
    canvas.ellipse((x, y), wide_m / 2 * scale, max(flat, 1.0), (52, 52, 56))
    canvas.owner = owner


def _paint_vehicle(canvas: Canvas, scene: Scene, thing: Thing, random: np.random.Generator) -> None:
    camera, size = scene.camera, thing.size
    paint = _PAINTS[random.integers(len(_PAINTS))]
    van = random.random() < 0.3  # noqa: PLR2004 - a share
    half, deep, body, roof = 0.9 * size, 4.3 * size, 0.85 * size, (2.1 if van else 1.45) * size
    left, right, near, far = thing.x_m - half, thing.x_m + half, thing.z_m, thing.z_m + deep
    _shadow(canvas, camera, thing, 2.3 * half, deep)
    for z in (far - 0.9, near + 0.6):
        for x in (left + 0.1, right - 0.1):
            scale = camera.scale(z)
            canvas.ellipse(camera.project(x, z, 0.3 * size), 0.17 * scale, 0.32 * size * scale, (24, 24, 26))
    _block(canvas, camera, (left, right, near, far), (0.3 * size, body), paint)
    cabin_near, cabin_far = (near + 0.15, far - 0.6) if van else (near + 0.7 * size, far - 1.2 * size)
    inset = 0.1 * size
    glass: Colour = (46, 56, 66)
    _block(canvas, camera, (left + inset, right - inset, cabin_near, cabin_far), (body, roof), paint)
    rear = (
        (left + 0.2, body + 0.08),
        (right - 0.2, body + 0.08),
        (right - 0.28, roof - 0.12),
        (left + 0.28, roof - 0.12),
    )
    canvas.polygon([camera.project(x, cabin_near - 0.02, h) for x, h in rear], glass)
    for x in (left + 0.2, right - 0.2):
        lamp, radius = camera.project(x, near - 0.02, 0.62 * size), 0.11 * camera.scale(near)
        canvas.ellipse(lamp, radius, radius * 0.8, (190, 44, 36))
        canvas.shine_round(lamp, radius, (210, 30, 20))
    plate = [
        camera.project(thing.x_m + dx, near - 0.02, h)
        for dx, h in ((-0.26, 0.4), (0.26, 0.4), (0.26, 0.55), (-0.26, 0.55))
    ]
    canvas.polygon(plate, (52, 92, 190))


def _paint_bin(canvas: Canvas, scene: Scene, thing: Thing, random: np.random.Generator) -> None:
    camera, size = scene.camera, thing.size
    half, tall = 0.42 * size, 1.15 * size
    colour: Colour = ((48, 112, 66), (60, 74, 92), (44, 96, 140))[random.integers(3)]
    span = (thing.x_m - half, thing.x_m + half, thing.z_m, thing.z_m + 0.75 * size)
    _shadow(canvas, camera, thing, 2.4 * half, 0.8)
    if thing.kind == BIN:
        _pile(canvas, camera, thing, random, on_ground=True)
    _block(canvas, camera, span, (0.1, tall), colour)
    lid = (span[0] - 0.05, span[1] + 0.05, span[2] - 0.05, span[3] + 0.05)
    if thing.kind == BIN:
        raised = ((lid[0], tall), (lid[1], tall), (lid[1], tall + 0.55), (lid[0], tall + 0.55))
        back = [camera.project(x, span[3], h) for x, h in raised]
        canvas.polygon(back, shade(colour, 0.8))
        _pile(canvas, camera, thing, random, on_ground=False)
    else:
        _block(canvas, camera, lid, (tall, tall + 0.1), shade(colour, 1.2))
    middle = camera.project(thing.x_m, thing.z_m, 0.62 * tall)
    scale = camera.scale(thing.z_m)
    canvas.ellipse(middle, 0.13 * scale, 0.13 * scale, (226, 230, 226))


def _pile(canvas: Canvas, camera: Camera, thing: Thing, random: np.random.Generator, *, on_ground: bool) -> None:
    """Paint bags and litter, in a heap on top or around the foot."""
    for _ in range(random.integers(9, 15) if on_ground else random.integers(7, 11)):
        spread = 1.05 if on_ground else 0.42
        x = thing.x_m + random.uniform(-spread, spread) * thing.size
        z = thing.z_m + random.uniform(-0.35, 0.5)
        up = random.uniform(0.05, 0.2) if on_ground else thing.size * 1.15 + random.uniform(0.02, 0.32)
        scale = camera.scale(z)
        radius = random.uniform(0.1, 0.24) * scale * thing.size
        colour = shade(_LITTER[random.integers(len(_LITTER))], random.uniform(0.8, 1.05))
        middle = camera.project(x, z, up)
        canvas.ellipse(middle, radius, radius * random.uniform(0.6, 0.95), colour)
        canvas.ellipse((middle[0] - radius / 3, middle[1] - radius / 3), radius / 4, radius / 5, shade(colour, 1.35))


def blob(camera: Camera, thing: Thing, wide_m: float, deep_m: float) -> list[Point]:
    """Return an irregular patch that lies on the ground."""
    random = np.random.default_rng(thing.seed)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = 1 + sum(random.uniform(0.03, 0.16) * np.sin(k * angles + random.uniform(0, 6.3)) for k in (2, 3, 5))
    x_m = thing.x_m + wide_m / 2 * radius * np.cos(angles)
    z_m = thing.z_m + deep_m / 2 * (1 + radius * np.sin(angles))
    return [camera.project(float(x), max(float(z), 1.5)) for x, z in zip(x_m, z_m, strict=True)]


def _paint_water(canvas: Canvas, scene: Scene, thing: Thing, random: np.random.Generator) -> None:
    wide, deep = 2.9 * thing.size * random.uniform(0.8, 1.3), 2.6 * thing.size * random.uniform(0.8, 1.3)
    canvas.polygon(blob(scene.camera, thing, wide, deep), (116, 136, 150))


def _paint_patch(canvas: Canvas, scene: Scene, thing: Thing, random: np.random.Generator) -> None:
    """Paint a mended place in the asphalt: dark, straight-edged, dry."""
    wide, deep = random.uniform(0.9, 2.2), random.uniform(1.2, 3.5)
    span = scene.camera.quad(thing.x_m - wide / 2, thing.x_m + wide / 2, thing.z_m, thing.z_m + deep)
    canvas.polygon(span, shade((70, 70, 72), random.uniform(0.85, 1.1)))


def _paint_person(canvas: Canvas, scene: Scene, thing: Thing, random: np.random.Generator) -> None:
    camera, tall = scene.camera, 1.7 * thing.size
    scale = camera.scale(thing.z_m)
    cloth = _CLOTHES[random.integers(len(_CLOTHES))]
    _shadow(canvas, camera, thing, 0.6, 0.4)
    for x in (-0.11, 0.11):
        foot, hip = camera.project(thing.x_m + x, thing.z_m, 0), camera.project(thing.x_m + x / 2, thing.z_m, 0.85)
        canvas.line(foot, hip, (44, 46, 54), 0.15 * scale)
    canvas.ellipse(camera.project(thing.x_m, thing.z_m, 1.12 * tall / 1.7), 0.24 * scale, 0.38 * scale, cloth)
    canvas.ellipse(camera.project(thing.x_m, thing.z_m, tall - 0.14), 0.12 * scale, 0.14 * scale, (206, 166, 138))
    if scene.weather == "rain":
        canvas.ellipse(camera.project(thing.x_m, thing.z_m, tall + 0.18), 0.5 * scale, 0.17 * scale, shade(cloth, 1.2))


def _paint_tree(canvas: Canvas, scene: Scene, thing: Thing, random: np.random.Generator) -> None:
    camera, scale = scene.camera, scene.camera.scale(thing.z_m)
    canvas.line(
        camera.project(thing.x_m, thing.z_m), camera.project(thing.x_m, thing.z_m, 2.6), (84, 66, 50), 0.2 * scale
    )
    for _ in range(16):
        x, up = thing.x_m + random.normal(0, 0.65), 3.4 + random.normal(0, 0.6)
        radius = random.uniform(0.35, 0.75) * scale * thing.size
        leaf = shade((72, 118, 58), random.uniform(0.75, 1.3))
        canvas.ellipse(camera.project(x, thing.z_m, up), radius, radius * 0.85, leaf)


def _paint_lamp(canvas: Canvas, scene: Scene, thing: Thing, random: np.random.Generator) -> None:
    camera, scale = scene.camera, scene.camera.scale(thing.z_m)
    reach = -0.9 if thing.x_m > 0 else 0.9
    top = camera.project(thing.x_m, thing.z_m, 5.2)
    head = camera.project(thing.x_m + reach, thing.z_m, 5.3)
    grey = shade((70, 74, 80), random.uniform(0.9, 1.1))
    canvas.line(camera.project(thing.x_m, thing.z_m), top, grey, 0.1 * scale)
    canvas.line(top, head, grey, 0.08 * scale)
    canvas.ellipse(head, 0.28 * scale, 0.1 * scale, (236, 232, 214))
    if scene.light is Light.NIGHT:
        canvas.shine_round(head, 0.3 * scale, (255, 226, 170))


_PAINTERS: dict[str, Callable[[Canvas, Scene, Thing, np.random.Generator], None]] = {
    VEHICLE: _paint_vehicle,
    "bin": _paint_bin,
    BIN: _paint_bin,
    WATER: _paint_water,
    "patch": _paint_patch,
    "person": _paint_person,
    "tree": _paint_tree,
    "lamp": _paint_lamp,
}
