"""Reads folders in YOLO form: ``data.yaml``, pictures, and one text file of labels beside each.

A label line is ``class cx cy width height`` or ``class x1 y1 x2 y2 x3 y3 ...`` (a polygon: an outline, and the box
around it), all as shares of width and height. Folders named ``test_night`` beside ``test`` are slices of that split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from contracts import Problem

from .dataset import PICTURE_SUFFIXES, LabelledPicture, Outline, PictureSet, Split, picture, refuse, split_of_name

_BOX_FIELDS = 5
_POLYGON_FIELDS = 7
_HIGHEST_CLASS = 1_000_000
_OTHER_SUFFIXES = frozenset({".bmp", ".gif", ".heic", ".avif", ".jp2", ".jfif", ".tif", ".tiff", ".webp"})
_CLASSES_FILE = "classes.txt"
_SPLIT_KEYS = (("val", Split.VALIDATION), ("test", Split.TEST), ("train", Split.TRAIN))
"""One folder named for two splits is never trained on."""


def read_yolo(folder: Path) -> PictureSet:
    """Read a folder with a ``data.yaml``, or one YAML file of another name.

    Raises:
        ConfigurationError: if that file cannot be used; broken labels are collected in the set instead.
    """
    file = find_description(folder) or folder / "data.yaml"
    description, problems = _read_description(file)
    labels = _labels(description, file.name, problems)
    parts = list(_parts(folder, description, file.name, problems))
    refuse(f"The data set {folder}", problems)
    pictures = []
    for part, split, name in parts:
        for path in _listed(part, problems) if part.is_file() else _held(part, problems):
            entry = _read_labels(path, split, problems)
            pictures.append(replace(entry, slice=name))
    return PictureSet(labels, tuple(pictures), tuple(problems))


def find_description(folder: Path) -> Path | None:
    """Return ``data.yaml``, or the only YAML file of a folder with ``images``; None where there is neither."""
    if (folder / "data.yaml").is_file():
        return folder / "data.yaml"
    others = [path for path in folder.glob("*.y*ml") if path.suffix in (".yaml", ".yml")]
    return others[0] if len(others) == 1 and (folder / "images").is_dir() else None


def _held(folder: Path, problems: list[Problem]) -> list[Path]:
    """Return the pictures below a folder; those of forms that are not read, and labels without one, are problems."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    remedy = "Convert it to JPEG or PNG."
    problems.extend(
        Problem(_short(path), f"is a picture of the form {path.suffix!r}, which is not read.", remedy)
        for path in files
        if path.suffix.lower() in _OTHER_SUFFIXES
    )
    pictures = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    labels = label_path_of(folder / "any").parent
    if labels != folder and labels.is_dir():
        shown = {label_path_of(path) for path in files}
        remedy = "Restore the picture, or take the labels out."
        problems.extend(
            Problem(_short(path), "labels a picture that is missing.", remedy)
            for path in sorted(labels.rglob("*.txt"))
            if path not in shown and path.name != _CLASSES_FILE
        )
    return pictures


def _listed(file: Path, problems: list[Problem]) -> list[Path]:
    """Return the pictures that a text file lists, one a line, relative to itself; missing ones are found out later."""
    pictures = []
    for line in file.read_text(encoding="utf-8-sig").split("\n"):
        if not line.strip():
            continue
        path = (file.parent / line.strip()).resolve()
        if path.is_relative_to(file.parent):
            pictures.append(path)
        else:
            problems.append(Problem(file.name, f"lists {line.strip()!r}, outside of the data set.", "Keep it within."))
    return pictures


def _read_description(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    try:
        description = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as exc:
        return {}, [Problem(path.name, f"cannot be read: {exc}.", "Give a readable YAML file.")]
    if not isinstance(description, dict):
        return {}, [Problem(path.name, f"must be a mapping, was {type(description).__name__}.", "Name the splits.")]
    return description, []


def _labels(description: dict[str, Any], file: str, problems: list[Problem]) -> tuple[str, ...]:
    names = description.get("names")
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        hint = "List the class names, or map 0, 1, 2, ... to them."
        problems.append(Problem(f"{file}: names", f"must name every class from 0 on, was {names!r}.", hint))
        return ()
    return tuple(str(name) for name in names)


def _parts(
    folder: Path, description: dict[str, Any], file: str, problems: list[Problem]
) -> Iterator[tuple[Path, Split, str]]:
    root = (folder / str(description.get("path") or ".")).resolve()
    root = root if root.is_dir() else folder.resolve()  # a path of the machine that wrote it
    seen: set[Path] = set()
    for key, split in _SPLIT_KEYS:
        value = description.get(key)
        if value is None:
            continue
        for given in value if isinstance(value, list) else [value]:
            part = _find_part(root, str(given))
            if part is None:
                hint = "Name a folder of pictures, or a text file that lists them, below the data set."
                problems.append(Problem(f"{file}: {key}", f"the folder {given!r} does not exist.", hint))
            elif part not in seen:
                seen.add(part)
                yield part, split, ""
                yield from () if part.is_file() else _slices(part, split, seen)
    if not seen and not problems:
        problems.append(Problem(file, "names no split.", "Set train and val to folders of pictures."))


def _find_part(root: Path, given: str) -> Path | None:
    """Find a folder or list below the data set; exported sets often say ``../train/images`` for ``train/images``."""
    for candidate in (root / given, root / given.lstrip("./")):
        found = candidate.resolve()
        usable = found.is_dir() or (found.suffix == ".txt" and found.is_file())
        if usable and found.is_relative_to(root):
            return found
    return None


def _slices(part: Path, split: Split, seen: set[Path]) -> Iterator[tuple[Path, Split, str]]:
    for sibling in sorted(path for path in part.parent.iterdir() if path.is_dir() and path not in seen):
        read = split_of_name(sibling.name)
        if read is not None and read[0] is split and read[1] and sibling.name.startswith(f"{part.name}_"):
            seen.add(sibling)
            yield sibling, split, read[1]


def _read_labels(path: Path, split: Split, problems: list[Problem]) -> LabelledPicture:
    label_path = label_path_of(path)
    if not label_path.exists():
        return replace(picture(path, split, [], []), labelled=False)
    boxes, classes, outlines = [], [], []
    try:
        lines = label_path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(Problem(_short(label_path), f"cannot be read: {exc}."))
        lines = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                index, box, outline = _read_line(line)
            except ValueError as exc:
                hint = "Write `class cx cy width height`, all but the class within 0 and 1."
                problems.append(Problem(f"{_short(label_path)}:{number}", f"{exc}", hint))
            else:
                boxes.append(box)
                classes.append(index)
                outlines.append(outline)
    return picture(path, split, boxes, classes, outlines)


def label_path_of(path: Path) -> Path:
    """Return where the labels of a picture lie: the last folder ``images`` becomes ``labels``."""
    parts = list(path.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _read_line(line: str) -> tuple[int, tuple[float, float, float, float], Outline]:
    fields = line.split()
    if len(fields) != _BOX_FIELDS and (len(fields) < _POLYGON_FIELDS or len(fields) % 2 == 0):
        message = f"has {len(fields)} numbers: {line[:60]!r}."
        raise ValueError(message)
    try:
        values = np.asarray(fields, dtype=np.float64)
    except ValueError:
        message = f"holds something that is no number: {line[:60]!r}."
        raise ValueError(message) from None
    if not np.isfinite(values).all():
        message = f"holds a value that is not finite: {line[:60]!r}."
        raise ValueError(message)
    number, values = float(values[0]), values[1:]
    if number != int(number) or abs(number) > _HIGHEST_CLASS:
        message = f"has a class that is no whole number: {line[:60]!r}."
        raise ValueError(message)
    index = int(number)
    outline: Outline = ()
    if len(fields) == _BOX_FIELDS:
        cx, cy, width, height = values
        box = (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
        if width < 0 or height < 0:
            message = f"has a negative width or height: {line[:60]!r}."
            raise ValueError(message)
    else:
        outline = (values.reshape(-1, 2),)
        box = (values[::2].min(), values[1::2].min(), values[::2].max(), values[1::2].max())
    return index, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), outline


def _short(path: Path) -> str:
    return "/".join(path.parts[-2:])
