"""Reads folders of folders, as classifiers are labelled: ``train/<class>/``, ``val/<class>/``, ``test_night/<class>/``.

A picture's one label is its folder; its box is the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from contracts import Problem

from .dataset import PICTURE_SUFFIXES, LabelledPicture, PictureSet, Split, picture, refuse, split_of_name

WHOLE = (0.0, 0.0, 1.0, 1.0)


def is_folder_form(folder: Path) -> bool:
    """Return whether a split of a data set holds folders of pictures."""
    return any(
        _pictures_of(labelled)
        for part, _, _ in _parts(folder)
        for labelled in sorted(path for path in part.iterdir() if path.is_dir())
    )


def read_folders(folder: Path) -> PictureSet:
    """Read every split.

    Raises:
        ConfigurationError: if there is no split, or fewer than two classes.
    """
    parts = list(_parts(folder))
    if not parts:
        hint = "Put train/<class>/ and val/<class>/ there."
        refuse(f"The data set {folder}", [Problem(str(folder), "holds no split of folders.", hint)])
    labels = tuple(sorted({path.name for part, _, _ in parts for path in part.iterdir() if path.is_dir()}))
    if len(labels) < 2:  # noqa: PLR2004 - one class leaves nothing to tell apart
        hint = "Give each class a folder of its own."
        refuse(f"The data set {folder}", [Problem(str(folder), f"names {len(labels)} classes.", hint)])
    pictures = [entry for part in parts for entry in _read_part(*part, labels)]
    problems = [
        Problem(f"{part.name}/{path.name}", "lies in no folder of a class.", "Put it into one, or take it away.")
        for part, _, _ in parts
        for path in _pictures_of(part)
    ]
    return PictureSet(labels, tuple(pictures), tuple(problems))


def _parts(folder: Path) -> Iterator[tuple[Path, Split, str]]:
    for path in sorted(folder.iterdir()):
        read = split_of_name(path.name)
        if read is not None and path.is_dir():
            yield path, *read


def _read_part(part: Path, split: Split, name: str, labels: tuple[str, ...]) -> Iterator[LabelledPicture]:
    for index, label in enumerate(labels):
        for path in _pictures_of(part / label):
            yield replace(picture(path, split, [WHOLE], [index]), slice=name)


def _pictures_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
