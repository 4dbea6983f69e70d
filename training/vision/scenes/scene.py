"""What stands in a scene: imagined from a seed, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from .camera import Camera

WATER, BIN, VEHICLE = "standing_water", "overflowing_bin", "vehicle"
LABELS = (WATER, BIN, VEHICLE)
ROAD_M = 4.2
"""Half of the road's width."""
PAVEMENT_M = 7.4
"""From the middle of the road to the house fronts."""
LANE_M = (1.9, 4.0, 7.0, 16.0)
"""The fire lane: left, right, near and far edge on the ground."""


class Light(StrEnum):
    """The time of day."""

    DAY = "day"
    NIGHT = "night"


class Weather(StrEnum):
    """What falls from the sky."""

    DRY = "dry"
    RAIN = "rain"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands on the ground.

    Attributes:
        kind: ``vehicle``, ``bin``, ``overflowing_bin``, ``standing_water``, ``person``, ``tree``, ``lamp``, ``patch``.
        x_m: middle, to the right of the road's middle.
        z_m: its near edge, away from the camera.
        size: of its kind's usual size.
        seed: of its looks.
    """

    kind: str
    x_m: float
    z_m: float
    size: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    Attributes:
        camera: what it is seen through.
        light: day or night.
        weather: dry or rain.
        things: what stands in it.
        seed: of houses, colours and noise: the same seed is the same street.
        instant: of what moves and flickers in the same street: rain, noise.
    """

    camera: Camera
    light: Light
    weather: Weather
    things: tuple[Thing, ...]
    seed: int
    instant: int = 0
    labels: tuple[str, ...] = field(default=LABELS)


def imagine_scene(seed: int, *, light: Light = Light.DAY, weather: Weather = Weather.DRY, empty: bool = False) -> Scene:
    """Imagine a street.

    Args:
        seed: the same seed gives the same scene.
        light: day or night.
        weather: dry or rain.
        empty: nothing that has a label stands in it, but what looks like it may.
    """
    random = np.random.default_rng(seed)
    camera = Camera(
        horizon=random.uniform(0.22, 0.36),
        above_m=random.uniform(3.6, 5.5),
        focal=random.uniform(0.75, 1.0),
        centre=random.uniform(0.38, 0.62),
    )
    things = furniture(random)
    if not empty:
        things += _labelled(random)
    things += _look_alikes(random)
    return Scene(camera, light, weather, tuple(things), seed)


def furniture(random: np.random.Generator) -> list[Thing]:
    """Return trees, lamps and passers-by along both pavements."""
    things = []
    for side in (-1, 1):
        for z in np.arange(random.uniform(9, 14), 60, 11):
            kind = "lamp" if (int(z) + side) % 2 else "tree"
            things.append(Thing(kind, side * (ROAD_M + 0.7), float(z), random.uniform(0.8, 1.2), _seed(random)))
    for _ in range(random.integers(0, 5)):
        x = random.choice([-1, 1]) * random.uniform(ROAD_M + 0.8, PAVEMENT_M - 0.6)
        things.append(Thing("person", float(x), random.uniform(7, 30), random.uniform(0.92, 1.08), _seed(random)))
    return things


def _labelled(random: np.random.Generator) -> list[Thing]:
    things = []
    for kind in random.permutation([WATER, BIN, VEHICLE])[: random.integers(1, 4)]:
        if kind == WATER:
            x, z = random.uniform(-3.2, 3.2), random.uniform(6, 15)
            things.append(Thing(WATER, x, z, random.uniform(0.7, 1.6), _seed(random)))
        elif kind == BIN:
            x = random.choice([-1, 1]) * random.uniform(ROAD_M + 0.5, ROAD_M + 2.2)
            things.append(Thing(BIN, float(x), random.uniform(6, 13), random.uniform(0.9, 1.25), _seed(random)))
        else:
            x, z = (2.95, random.uniform(7, 13)) if random.random() < 0.6 else (-2.2, random.uniform(8, 24))
            things.append(Thing(VEHICLE, x, z, random.uniform(0.9, 1.15), _seed(random)))
    return things


def _look_alikes(random: np.random.Generator) -> list[Thing]:
    """Return what must not be taken for a label: closed bins, dark patches of mended asphalt."""
    things = []
    if random.random() < 0.5:
        x = random.choice([-1, 1]) * random.uniform(ROAD_M + 0.5, ROAD_M + 2.2)
        things.append(Thing("bin", float(x), random.uniform(6, 16), random.uniform(0.9, 1.25), _seed(random)))
    if random.random() < 0.5:
        things.append(Thing("patch", random.uniform(-3, 3), random.uniform(6, 18), 1.0, _seed(random)))
    return things


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))
