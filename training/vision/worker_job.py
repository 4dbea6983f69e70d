"""Lays out the job of the fitting process: the pictures as ultralytics reads them, and ``job.json``.

A picture that another decoder might see differently (rotated by EXIF, of another colour mode than 8-bit RGB or grey)
is written as a plain PNG, so that the network is fitted on what it is asked about later; the rest is linked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from contracts import decode_picture

from .dataset import LabelledPicture, PictureSet, Split
from .masks import join_outline
from .recipe import ClassifyRecipe, VisionRecipe

_ORIENTATION = 0x0112
_UPRIGHT = 1
_PLAIN_MODES = frozenset({"RGB", "L"})


def write_job(recipe: VisionRecipe, data: PictureSet, folder: Path, *, export: bool = True) -> Path:
    """Write pictures, labels and ``job.json``; returns the path of the job.

    Slices take part in training like plain pictures, but validation during the fit is on the plain ones alone.
    """
    lay_out = _LAYOUTS[recipe.task]
    root = folder / "data"
    for split, pictures in (
        (Split.TRAIN, data.of(Split.TRAIN)),
        (Split.VALIDATION, data.of(Split.VALIDATION, "") or data.of(Split.VALIDATION)),
    ):
        for number, picture in enumerate(pictures):
            lay_out(picture, root, f"{number:07d}", split)
    source = root if isinstance(recipe, ClassifyRecipe) else _write_description(root, data.labels)
    job = folder / "job.json"
    document = {
        "recipe": recipe.model_dump(mode="json"),
        "weights": recipe.weights,
        "data": str(source.resolve()),
        "folder": str(folder.resolve()),
        "export": export,
    }
    job.write_text(json.dumps(document))
    return job


def class_folder(index: int) -> str:
    """Return the folder of a class, so named that folders in order are classes in order."""
    return f"{index:05d}"


def _write_description(root: Path, labels: tuple[str, ...]) -> Path:
    listing = "".join(f"  {index}: {json.dumps(label)}\n" for index, label in enumerate(labels))
    description = root / "data.yaml"
    description.write_text(
        f"path: {json.dumps(str(root.resolve()))}\ntrain: images/train\nval: images/val\nnames:\n{listing}"
    )
    return description


def _lay_out_boxes(picture: LabelledPicture, root: Path, name: str, split: Split) -> None:
    _lay_out_pixels(picture.path, root / "images" / split, name)
    fields = [
        ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        for left, top, right, bottom in picture.boxes
    ]
    _write_label(picture, root, name, split, fields)


def _lay_out_outlines(picture: LabelledPicture, root: Path, name: str, split: Split) -> None:
    _lay_out_pixels(picture.path, root / "images" / split, name)
    _write_label(picture, root, name, split, [join_outline(outline).ravel() for outline in picture.outlines])


def _write_label(
    picture: LabelledPicture, root: Path, name: str, split: Split, fields: Sequence[Iterable[float]]
) -> None:
    label = root / "labels" / split / f"{name}.txt"
    label.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        " ".join([str(int(index)), *(f"{value:.8f}" for value in values)])
        for index, values in zip(picture.classes, fields, strict=True)
    ]
    label.write_text("\n".join(lines))


def _lay_out_class(picture: LabelledPicture, root: Path, name: str, split: Split) -> None:
    _lay_out_pixels(picture.path, root / split / class_folder(int(picture.classes[0])), name)


def _lay_out_pixels(path: Path, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as picture:
        plain = picture.mode in _PLAIN_MODES and picture.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
    image = folder / f"{name}{path.suffix.lower() if plain else '.png'}"
    image.unlink(missing_ok=True)
    if plain:
        image.symlink_to(path.resolve())
    else:
        Image.fromarray(decode_picture(path.read_bytes())).save(image)


_LAYOUTS = {"detect": _lay_out_boxes, "segment": _lay_out_outlines, "classify": _lay_out_class}
