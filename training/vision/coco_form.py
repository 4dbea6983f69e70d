"""Reads folders in COCO form: one JSON of annotations a split.

Looks for ``annotations/instances_<split>*.json``, ``annotations/<split>.json`` or ``<split>/_annotations.coco.json``;
pictures lie in ``<split>/``, ``images/<split>/``, ``images/`` or beside the JSON. Crowd regions are left out.
Polygons are outlines; masks as run lengths are passed over.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from contracts import Problem

from .dataset import MAXIMUM_LABEL_BYTES, LabelledPicture, Outline, PictureSet, Split, picture, refuse, split_of_name

_BOX_VALUES = 4
_POLYGON_VALUES = 6
_EXPORT = "Export it as COCO instances."


def read_coco(folder: Path) -> PictureSet:
    """Read every split that has a JSON of annotations.

    Raises:
        ConfigurationError: if no annotations are there or one file cannot be read; broken entries are collected.
    """
    fatal: list[Problem] = []
    files = list(_annotation_files(folder))
    if not files:
        hint = "Put annotations/instances_train.json and annotations/instances_val.json there."
        fatal.append(Problem(str(folder), "holds no COCO annotations.", hint))
    documents = [(path, split, name, _read_document(path, fatal)) for path, split, name in files]
    refuse(f"The data set {folder}", fatal)
    labels = _labels([document for *_, document in documents])
    problems: list[Problem] = []
    pictures = [
        replace(entry, slice=name)
        for path, split, name, document in documents
        for entry in _pictures(_Source(folder, path, split, labels), document, problems)
    ]
    return PictureSet(labels, tuple(pictures), tuple(problems))


def _annotation_files(folder: Path) -> Iterator[tuple[Path, Split, str]]:
    seen = set()
    candidates = sorted((folder / "annotations").glob("*.json")) + sorted(folder.glob("*/_annotations.coco.json"))
    for path in candidates:
        stem = path.parent.name if path.name.startswith("_annotations") else path.stem.removeprefix("instances_")
        read = split_of_name(stem.rstrip("0123456789"))
        if read is not None and read not in seen:
            seen.add(read)
            yield path, *read


def _read_document(path: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAXIMUM_LABEL_BYTES:
            problems.append(Problem(path.name, f"is larger than {MAXIMUM_LABEL_BYTES} bytes.", "Split it."))
            return {}
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        problems.append(Problem(path.name, f"cannot be read: {exc}.", "Give a readable JSON file."))
        return {}
    if not isinstance(document, dict):
        problems.append(Problem(path.name, f"must be an object, was {type(document).__name__}.", _EXPORT))
        return {}
    missing = [key for key in ("images", "annotations", "categories") if not isinstance(document.get(key), list)]
    if missing:
        problems.append(Problem(path.name, f"lacks the lists {missing}.", _EXPORT))
        return {}
    broken = [each for each in document["categories"] if not _names_class(each)]
    problems.extend(
        Problem(f"{path.name}: categories", f"{str(each)[:80]!r} is broken.", "Each needs a whole id and a name.")
        for each in broken
    )
    return {} if broken else document


def _names_class(category: Any) -> bool:
    return isinstance(category, dict) and isinstance(category.get("id"), int) and isinstance(category.get("name"), str)


def _labels(documents: list[dict[str, Any]]) -> tuple[str, ...]:
    """Name the categories that are used as a class by their order of id, over all files."""
    names: dict[int, str] = {}
    for document in documents:
        for category in document["categories"]:
            names.setdefault(int(category["id"]), str(category["name"]))
    return tuple(dict.fromkeys(names[identifier] for identifier in sorted(names)))


class _Source:
    """Where one JSON and its pictures lie."""

    def __init__(self, folder: Path, path: Path, split: Split, labels: tuple[str, ...]) -> None:
        self.path, self.split, self.labels = path, split, labels
        stem = path.stem.removeprefix("instances_")
        self._folders = (
            path.parent,
            folder / stem,
            folder / split.value,
            folder / "images" / stem,
            folder / "images" / split.value,
            folder / "images",
        )

    def find(self, file_name: str) -> Path:
        """Return the picture's path; the last place where it might be if it is nowhere."""
        name = Path(file_name).name if Path(file_name).is_absolute() or ".." in Path(file_name).parts else file_name
        found = [place / name for place in self._folders if (place / name).is_file()]
        return found[0] if found else self._folders[-1] / name


def _pictures(source: _Source, document: dict[str, Any], problems: list[Problem]) -> Iterator[LabelledPicture]:
    index_of = {int(category["id"]): source.labels.index(str(category["name"])) for category in document["categories"]}
    annotations: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("image_id"), int | str):
            where = f"{source.path.name}: annotations"
            problems.append(Problem(where, f"{str(annotation)[:80]!r} is broken.", "Each needs an image_id."))
        elif not annotation.get("iscrowd"):
            annotations[annotation["image_id"]].append(annotation)
    for image in document["images"]:
        try:
            file_name, identifier, width, height = _describe(image)
        except (KeyError, TypeError, ValueError) as exc:
            hint = "Each picture needs id, file_name, width and height."
            problems.append(Problem(f"{source.path.name}: images", f"{str(image)[:80]!r} is broken: {exc}.", hint))
            continue
        boxes, classes, outlines = [], [], []
        for annotation in annotations.pop(identifier, []):
            where = f"{source.path.name}: annotation {annotation.get('id')!r} of {file_name}"
            box = _box(annotation, where, problems)
            category = annotation.get("category_id")
            if box is None:
                continue
            if not isinstance(category, int) or category not in index_of:
                problems.append(Problem(where, f"has the unknown category {category!r}.", "Add it to categories."))
                continue
            boxes.append([box[0] / width, box[1] / height, box[2] / width, box[3] / height])
            classes.append(index_of[category])
            outlines.append(_outline(annotation.get("segmentation"), width, height))
        entry = picture(source.find(file_name), source.split, boxes, classes, outlines)
        yield replace(entry, size_px=(width, height))
    for identifier in annotations:
        problems.append(Problem(f"{source.path.name}: annotations", f"picture {identifier!r} is not among images."))


def _outline(given: Any, width: int, height: int) -> Outline:
    """Return the polygons of an annotation as shares; none where there is no usable one."""
    if not isinstance(given, list):
        return ()
    parts = []
    for flat in given:
        usable = isinstance(flat, list) and len(flat) >= _POLYGON_VALUES and len(flat) % 2 == 0
        if not usable or not all(isinstance(value, int | float) and isfinite(value) for value in flat):
            return ()
        parts.append(np.asarray(flat, dtype=np.float64).reshape(-1, 2) / [width, height])
    return tuple(parts)


def _describe(image: dict[str, Any]) -> tuple[str, int | str, int, int]:
    """Return file name, identifier, width and height."""
    width, height, identifier = int(image["width"]), int(image["height"]), image["id"]
    if width <= 0 or height <= 0 or not isinstance(identifier, int | str):
        message = f"has the size {width}x{height} and the id {identifier!r}"
        raise ValueError(message)
    return str(image["file_name"]), identifier, width, height


def _box(annotation: dict[str, Any], where: str, problems: list[Problem]) -> tuple[float, float, float, float] | None:
    given = annotation.get("bbox")
    if isinstance(given, list) and len(given) == _BOX_VALUES and all(isinstance(v, int | float) for v in given):
        left, top, width, height = map(float, given)
        if width >= 0 and height >= 0:
            return left, top, left + width, top + height
    problems.append(Problem(where, f"has the box {given!r}.", "Give [left, top, width, height] in pixels."))
    return None
