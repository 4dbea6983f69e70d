"""One door to the forms that labelled pictures come in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from contracts import Problem

from .coco_form import read_coco
from .dataset import Form, PictureSet, refuse
from .folder_form import is_folder_form, read_folders
from .voc_form import read_voc
from .yolo_form import find_description, read_yolo

_READERS: dict[Form, Callable[[Path], PictureSet]] = {
    Form.YOLO: read_yolo,
    Form.COCO: read_coco,
    Form.VOC: read_voc,
    Form.FOLDERS: read_folders,
}


def read_pictures(folder: Path, form: Form | None = None) -> PictureSet:
    """Read a folder of labelled pictures.

    Args:
        folder: where it lies.
        form: how its labels are written; None to find out.

    Raises:
        ConfigurationError: if the folder is missing or of no known form.
    """
    if not folder.is_dir():
        hint = "Give the folder that holds data.yaml, annotations/ or Annotations/."
        refuse("The data set", [Problem(str(folder), "is no folder.", hint)])
    return _READERS[form or guess_form(folder)](folder)


def guess_form(folder: Path) -> Form:
    """Tell the form by the files that only that form has.

    Raises:
        ConfigurationError: if none of them is there.
    """
    if find_description(folder) is not None:
        return Form.YOLO
    if (folder / "Annotations").is_dir() and (folder / "ImageSets").is_dir():
        return Form.VOC
    if any((folder / "annotations").glob("*.json")) or any(folder.glob("*/_annotations.coco.json")):
        return Form.COCO
    if is_folder_form(folder):
        return Form.FOLDERS
    message = (
        "has neither data.yaml (YOLO), nor annotations/*.json (COCO), nor Annotations/ and ImageSets/ (VOC), nor "
        "train/<class>/ (folders)."
    )
    refuse("The data set", [Problem(str(folder), message, "Set [data].form, or add what is missing.")])
    raise AssertionError
