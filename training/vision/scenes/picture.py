"""From a scene to a picture with its labels: street, things from far to near, water, light, rain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .canvas import FINER, Canvas
from .scene import Light, Scene, Thing, Weather
from .street import paint_street
from .things import paint_thing

FLAT = frozenset({"standing_water", "patch"})
SMALLEST_PX = 60
"""Fewest pixels of a thing that must be seen for it to be labelled."""

Colours = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPicture:
    """A drawing and what it shows.

    Attributes:
        pixels: uint8, shape (height, width, 3), RGB.
        boxes_xyxy_px: shape (box, 4): of what is seen of each labelled thing.
        classes: shape (box,), into the scene's labels.
    """

    pixels: NDArray[np.uint8]
    boxes_xyxy_px: NDArray[np.float64]
    classes: NDArray[np.int64]


def draw_scene(scene: Scene) -> DrawnPicture:
    """Draw a scene; the same scene gives the same bytes."""
    canvas = Canvas(scene.camera)
    paint_street(canvas, scene)
    labelled: dict[int, Thing] = {}
    for number, thing in enumerate(sorted(scene.things, key=_order), start=1):
        canvas.owner = number if thing.kind in scene.labels else 0
        if canvas.owner:
            labelled[number] = thing
        paint_thing(canvas, scene, thing)
    random = np.random.default_rng((scene.seed, scene.instant))
    size = (scene.camera.width_px, scene.camera.height_px)
    colours = np.asarray(canvas.colour.resize(size, Image.Resampling.BOX), np.float32)
    colours = colours + random.normal(0, 5 if scene.light is Light.NIGHT else 3, (*colours.shape[:2], 1)).astype(
        np.float32
    )
    if scene.light is Light.NIGHT:
        colours = _fall_night(colours, canvas.glow.resize(size, Image.Resampling.BOX))
    for number, thing in labelled.items():
        if thing.kind == "standing_water":
            colours = _mirror(colours, canvas.mask(number)[::FINER, ::FINER], scene, random)
    if scene.weather is Weather.RAIN:
        colours = _rain(colours, random)
    boxes, classes = _boxes(canvas, labelled, scene)
    pixels = colours.clip(0, 255).astype(np.uint8)
    if scene.mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        boxes[:, [0, 2]] = scene.camera.width_px - boxes[:, [2, 0]]
    return DrawnPicture(pixels, boxes, classes)


def _order(thing: Thing) -> tuple[bool, float]:
    return thing.kind not in FLAT, -thing.z_m


def _mirror(colours: Colours, water: NDArray[np.bool_], scene: Scene, random: np.random.Generator) -> Colours:
    """Fill water with what stands behind it, upside down, rippled and tinted."""
    rows, columns = np.nonzero(water)
    if not len(rows):
        return colours
    height, width = water.shape
    far = rows.min()
    wave = 3 if scene.weather is Weather.RAIN else 1
    ripple = np.round(wave * np.sin(rows / 1.5 + random.uniform(0, 6.3)) + random.normal(0, wave / 3, len(rows)))
    source_rows = np.clip(far - 1.6 * (rows - far) - 2, 0, height - 1).astype(np.int64)
    source_columns = np.clip(columns + ripple, 0, width - 1).astype(np.int64)
    depth = (rows - far) / max(1, rows.max() - far)
    day = scene.light is Light.DAY
    tint = np.array([96, 122, 142] if day else [34, 42, 58])
    share = ((0.62 if day else 0.85) - 0.25 * depth)[:, None]
    colours = colours.copy()
    colours[rows, columns] = colours[source_rows, source_columns] * share + tint * (1 - share)
    inner = np.asarray(Image.fromarray(water).convert("L").filter(ImageFilter.MinFilter(3))) > 0
    rim = water & ~inner
    colours[rim] = 0.5 * colours[rim] + 0.5 * np.array([206, 214, 220] if day else [84, 92, 108])
    return colours


def _fall_night(colours: Colours, glow: Image.Image) -> Colours:
    """Darken, then let windows and lamps shine and spill their light."""
    near = glow.filter(ImageFilter.GaussianBlur(3))
    small = glow.resize((glow.width // 4, glow.height // 4), Image.Resampling.BOX)
    wide = small.filter(ImageFilter.GaussianBlur(6)).resize(glow.size, Image.Resampling.BILINEAR)
    spill = np.asarray(wide, np.float32)
    lit = 0.34 + spill / 150.0
    night = colours * lit * np.array([0.88, 0.94, 1.14])
    return night + np.asarray(glow, np.float32) + 0.8 * np.asarray(near, np.float32) + 0.5 * spill


def _rain(colours: Colours, random: np.random.Generator) -> Colours:
    """Veil the distance and draw slanted streaks."""
    height, width = colours.shape[:2]
    veil = np.linspace(0.34, 0.1, height)[:, None, None]
    grey = colours.mean() * 1.25
    colours = colours * (1 - veil) + grey * veil
    streaks = np.zeros((height, width), np.float32)
    for _ in range(240):
        row, column = random.integers(height), random.integers(width)
        length = int(random.integers(7, 22))
        steps = np.arange(length)
        streaks[np.minimum(row + steps, height - 1), np.clip(column - steps // 5, 0, width - 1)] = random.uniform(
            0.3, 1
        )
    return colours + 62 * streaks[..., None]


def _boxes(canvas: Canvas, labelled: dict[int, Thing], scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    boxes, classes = [], []
    for number, thing in labelled.items():
        rows, columns = np.nonzero(canvas.mask(number))
        if len(rows) < SMALLEST_PX * FINER**2:
            continue
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        classes.append(scene.labels.index(thing.kind))
    return np.array(boxes, np.float64).reshape(-1, 4) / FINER, np.array(classes, np.int64)
