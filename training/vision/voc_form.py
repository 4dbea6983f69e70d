"""Reads folders in Pascal VOC form: ``Annotations/*.xml``, ``JPEGImages/``, ``ImageSets/Main/<split>.txt``.

Corners are 1-based pixels, as VOC writes them. Classes are sorted by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, parse

from contracts import Problem

from .dataset import PICTURE_SUFFIXES, LabelledPicture, PictureSet, Split, picture, refuse, split_of_name


@dataclass(frozen=True, slots=True)
class _Annotation:
    size_px: tuple[int, int]
    objects: tuple[tuple[str, tuple[float, float, float, float]], ...]


def read_voc(folder: Path) -> PictureSet:
    """Read every split that ``ImageSets/Main`` names.

    Raises:
        ConfigurationError: if a folder is missing; broken annotations are collected in the set instead.
    """
    problems: list[Problem] = []
    names = list(_names(folder))
    if not names or not (folder / "Annotations").is_dir():
        hint = "VOC needs Annotations/, JPEGImages/ and ImageSets/Main/train.txt and val.txt."
        refuse(f"The data set {folder}", [Problem(str(folder), "is not in VOC form.", hint)])
    found = [
        (split, condition, name, _read(folder / "Annotations" / f"{name}.xml", problems))
        for split, condition, name in names
    ]
    labels = tuple(sorted({label for *_, entry in found if entry for label, _ in entry.objects}))
    pictures = [
        replace(_picture(folder, name, split, entry, labels), slice=condition)
        for split, condition, name, entry in found
    ]
    return PictureSet(labels, tuple(pictures), tuple(problems))


def _names(folder: Path) -> Iterator[tuple[Split, str, str]]:
    for path in sorted((folder / "ImageSets" / "Main").glob("*.txt")):
        read = split_of_name(path.stem)
        if read is not None:
            lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
            yield from ((*read, Path(fields[0]).name) for fields in lines if fields)


def _read(path: Path, problems: list[Problem]) -> _Annotation | None:
    where = f"Annotations/{path.name}"
    if not path.exists():
        return None
    try:
        tree = parse(path)
        size_px = (int(tree.findtext("size/width") or 0), int(tree.findtext("size/height") or 0))
        if min(size_px) <= 0:
            problems.append(Problem(where, f"says the size is {size_px[0]}x{size_px[1]}.", "Write <size>."))
            return None
        objects = []
        for entry in tree.iterfind("object"):
            corners = [float(entry.findtext(f"bndbox/{key}") or "nan") for key in ("xmin", "ymin", "xmax", "ymax")]
            left, top, right, bottom = corners
            if not (left <= right and top <= bottom):  # also where one is missing
                problems.append(Problem(where, f"has the box {corners}.", "Write xmin, ymin, xmax and ymax."))
                continue
            objects.append((entry.findtext("name") or "", (left - 1, top - 1, right, bottom)))
    except (ParseError, DefusedXmlException, ValueError, OSError) as exc:
        problems.append(Problem(where, f"cannot be read: {exc}.", "Give a well-formed VOC annotation."))
        return None
    return _Annotation(size_px, tuple(objects))


def _picture(
    folder: Path, name: str, split: Split, entry: _Annotation | None, labels: tuple[str, ...]
) -> LabelledPicture:
    candidates = [folder / "JPEGImages" / f"{name}{suffix}" for suffix in sorted(PICTURE_SUFFIXES)]
    path = next((candidate for candidate in candidates if candidate.is_file()), candidates[1])
    if entry is None:
        return replace(picture(path, split, [], []), labelled=False)
    width, height = entry.size_px
    boxes = [[box[0] / width, box[1] / height, box[2] / width, box[3] / height] for _, box in entry.objects]
    classes = [labels.index(label) for label, _ in entry.objects]
    return replace(picture(path, split, boxes, classes), size_px=entry.size_px)
