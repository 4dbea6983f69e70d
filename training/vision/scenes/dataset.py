"""A folder of drawn pictures in YOLO form, with slices by light and weather, ready for an ordinary recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .picture import DrawnPicture, draw_scene
from .scene import LABELS, Light, Scene, Weather, imagine_scene

NOTE = "These pictures are drawn by a program. They show no real place, and what learns from them has seen no street.\n"
_QUALITY = 90
_SLICES = {
    "": (Light.DAY, Weather.DRY),
    "night": (Light.NIGHT, Weather.DRY),
    "rain": (Light.DAY, Weather.RAIN),
}


@dataclass(frozen=True, slots=True)
class DrawingPlan:
    """How many pictures to draw.

    Attributes:
        train: for training, all lights and weathers mixed.
        validation: of each slice.
        test: of each slice.
        empty: share of scenes with nothing that has a label.
        seed: of everything.
    """

    train: int = 240
    validation: int = 24
    test: int = 24
    empty: float = 0.2
    seed: int = 1


def draw_dataset(folder: Path, plan: DrawingPlan, progress: Callable[[int, int], None] | None = None) -> Path:
    """Draw a whole data set; returns the folder.

    Args:
        folder: made if it is not there.
        plan: how many of what.
        progress: called with pictures drawn and in all.
    """
    jobs = list(_jobs(plan))
    for number, (name, scene) in enumerate(jobs, start=1):
        write_example(folder, name, draw_scene(scene))
        if progress is not None:
            progress(number, len(jobs))
    counts = {"train": plan.train, "val": plan.validation, "test": plan.test}
    splits = "".join(f"{split}: images/{split}\n" for split, count in counts.items() if count)
    names = "".join(f"  {index}: {label}\n" for index, label in enumerate(LABELS))
    (folder / "data.yaml").write_text(f"path: .\n{splits}names:\n{names}", encoding="utf-8")
    (folder / "DRAWN.md").write_text(NOTE, encoding="utf-8")
    (folder / "plan.json").write_text(json.dumps({name: getattr(plan, name) for name in plan.__slots__}))
    return folder


def _jobs(plan: DrawingPlan) -> Iterator[tuple[str, Scene]]:
    """Yield the path below ``images`` and ``labels`` and the scene of each picture."""
    random = np.random.default_rng(plan.seed)

    def next_scene(light: Light, weather: Weather) -> Scene:
        empty = bool(random.random() < plan.empty)
        return imagine_scene(int(random.integers(2**40)), light=light, weather=weather, empty=empty)

    for number in range(plan.train):
        light = Light.NIGHT if random.random() < 0.35 else Light.DAY  # noqa: PLR2004 - shares of the mixture
        weather = Weather.RAIN if random.random() < 0.35 else Weather.DRY  # noqa: PLR2004 - likewise
        yield f"train/{number:05d}", next_scene(light, weather)
    for split, count in (("val", plan.validation), ("test", plan.test)):
        for name, (light, weather) in _SLICES.items():
            for number in range(count):
                yield f"{split}{'_' if name else ''}{name}/{number:05d}", next_scene(light, weather)


def write_example(folder: Path, name: str, drawn: DrawnPicture) -> None:
    """Write one picture and its labels."""
    image, label = folder / "images" / f"{name}.jpg", folder / "labels" / f"{name}.txt"
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawn.pixels).save(image, quality=_QUALITY)
    height, width = drawn.pixels.shape[:2]
    lines = []
    for index, (left, top, right, bottom) in zip(drawn.classes, drawn.boxes_xyxy_px, strict=True):
        share = (
            (left + right) / 2 / width,
            (top + bottom) / 2 / height,
            (right - left) / width,
            (bottom - top) / height,
        )
        lines.append(" ".join([str(int(index)), *(f"{value:.6f}" for value in share)]))
    label.write_text("\n".join(lines), encoding="utf-8")
