"""Lays out the job of the fitting process: the pictures in YOLO form and ``job.json``."""

from __future__ import annotations

import json
from pathlib import Path

from .dataset import LabelledPicture, PictureSet, Split
from .recipe import DetectRecipe


def write_job(recipe: DetectRecipe, data: PictureSet, folder: Path) -> Path:
    """Write pictures (linked), labels, ``data.yaml`` and ``job.json``; returns the path of the job.

    Slices take part in training like plain pictures, but validation during the fit is on the plain ones alone.
    """
    for split, pictures in (
        (Split.TRAIN, data.of(Split.TRAIN)),
        (Split.VALIDATION, data.of(Split.VALIDATION, "") or data.of(Split.VALIDATION)),
    ):
        for number, picture in enumerate(pictures):
            _lay_out(picture, folder / "data", split, f"{number:07d}")
    listing = "".join(f"  {index}: {json.dumps(label)}\n" for index, label in enumerate(data.labels))
    description = folder / "data" / "data.yaml"
    description.write_text(
        f"path: {json.dumps(str((folder / 'data').resolve()))}\ntrain: images/train\nval: images/val\nnames:\n{listing}"
    )
    job = folder / "job.json"
    document = {"recipe": recipe.model_dump(mode="json"), "weights": recipe.weights}
    job.write_text(json.dumps({**document, "data": str(description.resolve()), "folder": str(folder.resolve())}))
    return job


def _lay_out(picture: LabelledPicture, root: Path, split: Split, name: str) -> None:
    image = root / "images" / split / f"{name}{picture.path.suffix.lower()}"
    label = root / "labels" / split / f"{name}.txt"
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    image.unlink(missing_ok=True)
    image.symlink_to(picture.path.resolve())
    lines = []
    for (left, top, right, bottom), index in zip(picture.boxes, picture.classes, strict=True):
        fields = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        lines.append(" ".join([str(int(index)), *(f"{value:.8f}" for value in fields)]))
    label.write_text("\n".join(lines))
