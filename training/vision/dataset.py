"""Labelled pictures: one description in memory, whatever form they were labelled in.

Not a loader of pixels: a picture is opened by the inspection and by the trainer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts import Array, ConfigurationError, Problem

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
MAXIMUM_LABEL_BYTES = 1024 * 1024 * 1024
Outline = tuple[NDArray[np.float64], ...]
"""Polygons (point, 2), x and y as shares of width and height, around a thing; empty where only its box is known."""


class Split(StrEnum):
    """What a picture is used for: fit, choose, tell."""

    TRAIN = "train"
    VALIDATION = "val"
    TEST = "test"


class Form(StrEnum):
    """How labels are written."""

    YOLO = "yolo"
    COCO = "coco"
    VOC = "voc"
    FOLDERS = "folders"
    """One folder a class: for classifiers."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """One picture with its boxes.

    Attributes:
        path: the picture's file.
        split: what it is used for.
        boxes: (box, 4) left, top, right, bottom as shares of width and height, as they were labelled:
            unclipped, until the inspection has seen them.
        classes: (box,) int64 index into the labels of the set.
        slice: condition it was taken in, such as ``night``; empty for the plain one.
        labelled: whether there is a label file or entry at all; an empty one says "nothing here".
        size_px: (width, height) that the labels were made for, where they say so.
        outlines: one for each box, as they were labelled; none at all where the form knows only boxes.
    """

    path: Path
    split: Split
    boxes: NDArray[np.float64]
    classes: NDArray[np.int64]
    slice: str = ""
    labelled: bool = True
    size_px: tuple[int, int] | None = None
    outlines: tuple[Outline, ...] = ()

    def with_boxes(self, keep: NDArray[np.bool_], classes: NDArray[np.int64]) -> LabelledPicture:
        """Return the same picture with some of its boxes, (box,) kept, and classes (box,) for all of them."""
        outlines = tuple(outline for outline, kept in zip(self.outlines, keep, strict=False) if kept)
        return replace(self, boxes=self.boxes[keep], classes=classes[keep], outlines=outlines)


@dataclass(frozen=True, slots=True, eq=False)
class PictureSet:
    """A whole data set.

    Attributes:
        labels: class names in order.
        pictures: every picture of every split.
        problems: what could not be read; the inspection adds to them.
    """

    labels: tuple[str, ...]
    pictures: tuple[LabelledPicture, ...]
    problems: tuple[Problem, ...] = ()

    def of(self, split: Split, name: str | None = None) -> list[LabelledPicture]:
        """Return the pictures of one split, of one slice where a name is given ("" is the plain one)."""
        return [picture for picture in self.pictures if picture.split is split and name in (None, picture.slice)]

    def slices(self, split: Split) -> list[str]:
        """Return the names of the conditions in a split, the plain one ("") first."""
        return sorted({picture.slice for picture in self.of(split)})

    def with_pictures(self, pictures: Iterable[LabelledPicture]) -> PictureSet:
        """Return the same set with other pictures."""
        return replace(self, pictures=tuple(pictures))


def picture(
    path: Path,
    split: Split,
    boxes: Sequence[Sequence[float]],
    classes: Sequence[int],
    outlines: Sequence[Outline] = (),
) -> LabelledPicture:
    """Build a picture from plain lists of boxes (shares of width and height), class indices and outlines."""
    numbers = np.asarray(classes, dtype=np.int64).reshape(-1)
    return LabelledPicture(path, split, box_array(boxes), numbers, outlines=tuple(outlines) if any(outlines) else ())


def box_array(boxes: Sequence[Sequence[float]] | Array) -> NDArray[np.float64]:
    """Return boxes as a (box, 4) array, also where there are none."""
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def split_of_name(name: str) -> tuple[Split, str] | None:
    """Read split and slice from a name such as ``train``, ``valid`` or ``test_night``.

    Returns:
        The split and the slice ("" for the plain one), or None where the name is no split.
    """
    head, _, rest = name.lower().partition("_")
    known = {"train": Split.TRAIN, "val": Split.VALIDATION, "valid": Split.VALIDATION, "validation": Split.VALIDATION}
    split = {**known, "test": Split.TEST}.get(head)
    return None if split is None else (split, rest)


def refuse(title: str, problems: Sequence[Problem]) -> None:
    """Raise every problem at once, where there is one.

    Raises:
        ConfigurationError: carrying all of them.
    """
    if problems:
        raise ConfigurationError(title, problems)
