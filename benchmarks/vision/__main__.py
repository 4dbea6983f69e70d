"""``python -m benchmarks.vision --data DIR --json``: the last line is one JSON object with every part's figures.

A part that was not asked for, or has nothing to measure, gives null. ``--yolo DIR`` trains on another folder of
labelled pictures in place of the potholes; slices are folders such as ``test_night`` beside ``test``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import conditions, faces, live, potholes, served, twins, yolox
from .part import Figures, Options, say


@dataclass(frozen=True, slots=True)
class Part:
    """One part: the keys it answers for, and what measures them."""

    keys: tuple[str, ...]
    measure: Callable[[Options], Figures]


PARTS: dict[str, Part] = {
    "twins": Part(twins.KEYS, twins.measure),
    "yolox": Part(yolox.KEYS, yolox.measure),
    "potholes": Part(potholes.KEYS, potholes.measure),
    "conditions": Part(conditions.KEYS, conditions.measure),
    "served": Part(served.KEYS, served.measure),
    "live": Part(live.KEYS, live.measure),
    "faces": Part(faces.KEYS, faces.measure),
}


def main() -> None:
    """Measure and print."""
    arguments = _read_arguments()
    with tempfile.TemporaryDirectory(prefix="cityforge-") as scratch:
        figures = measure(_options(arguments, Path(scratch)), arguments.parts)
    if not arguments.json:
        for key, value in figures.items():
            print(f"{key:28} {value}")
    print(json.dumps(figures))


def measure(options: Options, parts: list[str]) -> Figures:
    """Run parts in order and return all figures; keys of the other parts are null."""
    figures: Figures = {key: None for part in PARTS.values() for key in part.keys}
    for name in parts:
        say(f"== {name} (load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors)")
        figures |= PARTS[name].measure(replace(options, before=dict(figures)))
    return figures


def _options(arguments: argparse.Namespace, scratch: Path) -> Options:
    weights = arguments.weights
    if weights is None:
        weights = str(arguments.data / "weights" / "yolov5n_backbone_neck_init_fp16.npz")
    return Options(
        data=arguments.data,
        pictures=arguments.yolo or arguments.data / "potholes",
        architecture=arguments.architecture,
        weights=Path(weights) if weights else None,
        budget_s=arguments.budget_s,
        scratch=scratch,
    )


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vision", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmark's data")
    parser.add_argument("--yolo", type=Path, help="train on this folder instead of DATA/potholes")
    parser.add_argument("--architecture", default="yolov5n")
    parser.add_argument("--weights", help="start of the fits; '' from scratch; default: YOLOv5n's of DATA/weights")
    parser.add_argument("--budget-s", type=float, default=420, help="seconds for each fit")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
