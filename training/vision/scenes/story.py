"""What one drawn camera sees over time: rain sets in, water rises, a van stops in the fire lane, a bin runs over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .camera import Camera
from .scene import BIN, VEHICLE, WATER, Light, Scene, Street, Thing, Weather, furniture

_CLEAR_M = 15.0
"""Nearer than this nothing stands between the camera and what it watches."""


@dataclass(frozen=True, slots=True)
class StoryFrame:
    """One frame of the story.

    Attributes:
        at_s: seconds since its beginning.
        scene: what is to be drawn.
        rain_mm_h: what a rain gauge beside the camera would read.
    """

    at_s: float
    scene: Scene
    rain_mm_h: float


def tell_story(seed: int = 3, *, minutes: int = 90, every_s: float = 20.0) -> Iterator[StoryFrame]:
    """Tell a wet evening in one street, frame by frame.

    Dry at first with a car that stops briefly in the fire lane; rain from a third on; water stands from half on and
    grows; a van blocks the fire lane for the last third; it is night for the last quarter.
    """
    random = np.random.default_rng(seed)
    camera = Camera(horizon=0.28, above_m=4.6, focal=0.85, centre=0.48)
    street = Street()
    fixed = [thing for thing in furniture(random, street) if thing.kind != "person" and thing.z_m > _CLEAR_M]
    total_s = minutes * 60
    for number in range(int(total_s / every_s)):
        at_s = number * every_s
        share = at_s / total_s
        rain = float(np.clip((share - 0.33) / 0.1, 0, 1) * (34 + 8 * np.sin(number / 5)))
        things = [*fixed, *_walkers(random, street), *_events(share)]
        light = Light.NIGHT if share > 0.75 else Light.DAY  # noqa: PLR2004 - the last quarter
        weather = Weather.RAIN if rain > 2 else Weather.DRY  # noqa: PLR2004 - enough to be seen
        yield StoryFrame(at_s, Scene(camera, street, light, weather, tuple(things), seed, instant=number), rain)


def _events(share: float) -> list[Thing]:
    things = [Thing("bin" if share < 0.6 else BIN, -4.9, 11.5, 1.2, 11)]  # noqa: PLR2004 - when it runs over
    if 0.12 < share < 0.15 or share > 0.66:  # noqa: PLR2004 - a short stop, then a long one
        things.append(Thing(VEHICLE, 2.95, 8.0, 1.0, 3 if share < 0.5 else 7))  # noqa: PLR2004 - two vehicles
    if share > 0.5:  # noqa: PLR2004 - from half on
        grown = float(np.clip((share - 0.5) / 0.25, 0.25, 1))
        things.append(Thing(WATER, -1.2, 8.0, 0.7 + 0.6 * grown, 5))
    return things


def _walkers(random: np.random.Generator, street: Street) -> list[Thing]:
    things = furniture(random, street)
    return [replace(thing, z_m=max(7.0, thing.z_m)) for thing in things if thing.kind == "person"][:3]
