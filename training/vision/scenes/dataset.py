"""A folder of drawn pictures in YOLO form, with slices by light and weather, ready for an ordinary recipe."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from gpu import available_threads

from .picture import DrawnPicture, draw_scene
from .scene import LABELS, Light, Scene, Weather, imagine_scene

NOTE = "These pictures are drawn by a program. They show no real place, and what learns from them has seen no street.\n"
_QUALITY = 90
_WORTH_PROCESSES = 64
"""Fewer pictures are drawn before another process has started."""
_Job = TypeVar("_Job")
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
    jobs = [(folder, name, scene) for name, scene in _jobs(plan)]
    for number, _ in enumerate(map_on_all_cores(_draw_one, jobs), start=1):
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
        light = Light.NIGHT if random.random() < 0.45 else Light.DAY  # noqa: PLR2004 - shares of the mixture
        weather = Weather.RAIN if random.random() < 0.35 else Weather.DRY  # noqa: PLR2004 - likewise
        yield f"train/{number:05d}", next_scene(light, weather)
    for split, count in (("val", plan.validation), ("test", plan.test)):
        for name, (light, weather) in _SLICES.items():
            for number in range(count):
                yield f"{split}{'_' if name else ''}{name}/{number:05d}", next_scene(light, weather)


def map_on_all_cores(draw: Callable[[_Job], object], jobs: Sequence[_Job]) -> Iterator[object]:
    """Draw in several processes where there is enough to draw; yields as jobs are done, in order."""
    workers = available_threads() if len(jobs) >= _WORTH_PROCESSES else 1
    if workers == 1:
        yield from map(draw, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_watch_parent) as pool:
        yield from pool.map(draw, jobs, chunksize=8)


def _watch_parent() -> None:
    """End this process with the one that wants the drawings: the pool's own processes outlive one that is killed."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), name="parent", daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _draw_one(job: tuple[Path, str, Scene]) -> None:
    folder, name, scene = job
    write_example(folder, name, draw_scene(scene))


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
