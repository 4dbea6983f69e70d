"""What stands in a scene: imagined from a seed, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from .camera import Camera

WATER, BIN, VEHICLE = "standing_water", "overflowing_bin", "vehicle"
LABELS = (WATER, BIN, VEHICLE)
_HALF = 0.5


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


class Side(StrEnum):
    """What lines the street on one side."""

    HOUSES = "houses"
    PARK = "park"
    WALL = "wall"


@dataclass(frozen=True, slots=True)
class Street:
    """The street that a scene lies in.

    Attributes:
        road_m: half of the road's width.
        pavement_m: width of each pavement.
        left: what lines it on the left.
        right: what lines it on the right.
        asphalt: how bright its surface is, about 1.
        lane_m: left, right, near and far edge of the fire lane on the ground.
    """

    road_m: float = 4.2
    pavement_m: float = 3.2
    left: Side = Side.HOUSES
    right: Side = Side.HOUSES
    asphalt: float = 1.0
    lane_m: tuple[float, float, float, float] = (1.9, 4.0, 7.0, 16.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    Attributes:
        camera: what it is seen through.
        street: where it is.
        light: day or night.
        weather: dry or rain.
        things: what stands in it.
        seed: of houses, colours and noise: the same seed is the same street.
        mirrored: seen in a mirror: the fire lane is on the left.
        instant: of what moves and flickers in the same street: rain, noise.
    """

    camera: Camera
    street: Street
    light: Light
    weather: Weather
    things: tuple[Thing, ...]
    seed: int
    mirrored: bool = False
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
        horizon=random.uniform(0.1, 0.45),
        above_m=random.uniform(3.2, 7.0),
        focal=random.uniform(0.65, 1.25),
        centre=random.uniform(0.15, 0.85),
    )
    street = _imagine_street(random)
    things = furniture(random, street)
    if not empty:
        things += _labelled(random, street)
    things += _look_alikes(random, street)
    return Scene(camera, street, light, weather, tuple(things), seed, mirrored=bool(random.random() < _HALF))


def _imagine_street(random: np.random.Generator) -> Street:
    road_m, near_m = random.uniform(3.2, 6.0), random.uniform(5.5, 9.0)
    left, right = (list(Side)[index] for index in random.choice(3, 2, p=[0.5, 0.3, 0.2]))
    return Street(
        road_m=road_m,
        pavement_m=random.uniform(2.0, 5.0),
        left=left,
        right=right,
        asphalt=random.uniform(0.75, 1.35),
        lane_m=(road_m - 2.4, road_m - 0.2, near_m, near_m + random.uniform(6, 12)),
    )


def furniture(random: np.random.Generator, street: Street) -> list[Thing]:
    """Return trees, lamps and passers-by along both pavements."""
    things = []
    for side in (-1, 1):
        apart = random.uniform(8, 16)
        for z in np.arange(random.uniform(8, 16), 60, apart):
            kind = "lamp" if random.random() < _HALF else "tree"
            things.append(Thing(kind, side * (street.road_m + 0.7), float(z), random.uniform(0.7, 1.4), _seed(random)))
    for _ in range(random.integers(0, 5)):
        x = random.choice([-1, 1]) * (street.road_m + random.uniform(0.8, street.pavement_m - 0.6))
        things.append(Thing("person", float(x), random.uniform(7, 30), random.uniform(0.92, 1.08), _seed(random)))
    return things


def _labelled(random: np.random.Generator, street: Street) -> list[Thing]:
    things = []
    for kind in random.permutation([WATER, BIN, VEHICLE])[: random.integers(1, 4)]:
        if kind == WATER:
            x, z = random.uniform(0.8 - street.road_m, street.road_m - 0.8), random.uniform(6, 15)
            things.append(Thing(WATER, x, z, random.uniform(0.7, 1.7), _seed(random)))
        elif kind == BIN:
            things.append(Thing(BIN, *_beside(random, street, 13), random.uniform(0.9, 1.3), _seed(random)))
        else:
            in_lane = random.random() < _HALF
            x, z = street.road_m - 1.3, street.lane_m[2] + random.uniform(-1, 5)
            if not in_lane:
                x, z = -street.road_m / 2 + random.uniform(-0.5, 0.5), random.uniform(8, 24)
            things.append(Thing(VEHICLE, x, z, random.uniform(0.85, 1.2), _seed(random)))
    return things


def _look_alikes(random: np.random.Generator, street: Street) -> list[Thing]:
    """Return what must not be taken for a label: closed bins, dark patches of mended asphalt."""
    things = []
    if random.random() < _HALF:
        things.append(Thing("bin", *_beside(random, street, 16), random.uniform(0.9, 1.3), _seed(random)))
    if random.random() < _HALF:
        things.append(Thing("patch", random.uniform(-3, 3), random.uniform(6, 18), 1.0, _seed(random)))
    return things


def _beside(random: np.random.Generator, street: Street, far_m: float) -> tuple[float, float]:
    """Return a place on one of the pavements."""
    x = random.choice([-1, 1]) * (street.road_m + random.uniform(0.5, street.pavement_m - 0.6))
    return float(x), float(random.uniform(6, far_m))


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))
