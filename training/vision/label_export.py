"""Writes picked pictures for Label Studio (JSON tasks with predictions) and CVAT (XML, "CVAT for images 1.1").

Boxes that the model found go along as a start. The forms are described at labelstud.io/guide/predictions and
docs.cvat.ai/docs/manual/advanced/xml_format.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from .labelling import Pick, fingerprint_of

LOCAL_FILES = "/data/local-files/?d="
"""How Label Studio names files below its local root (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT)."""


class LabelForm(StrEnum):
    """For which program picks are written."""

    LABEL_STUDIO = "label-studio"
    CVAT = "cvat"


def write_picks(
    picks: Sequence[Pick], labels: Sequence[str], path: Path, *, form: LabelForm, root: Path, model: str
) -> list[Path]:
    """Write picks for the people who label.

    Args:
        picks: pictures, best first.
        labels: class names in order.
        path: the file to write.
        form: for which program.
        root: folder to which the pictures' paths are relative: Label Studio's document root, or what CVAT is given.
        model: name and version of the model that found the boxes.

    Returns:
        What was written: the file, and for Label Studio the labelling interface beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if form is LabelForm.CVAT:
        _write_cvat(picks, labels, path, root)
        return [path]
    tasks = [_task(pick, labels, root, model) for pick in picks]
    path.write_text(json.dumps(tasks, ensure_ascii=False, indent=2), encoding="utf-8")
    interface = path.with_suffix(".config.xml")
    view = Element("View")
    SubElement(view, "Image", name="image", value="$image")
    choices = SubElement(view, "RectangleLabels", name="label", toName="image")
    for label in labels:
        SubElement(choices, "Label", value=label)
    _write_xml(view, interface)
    return [path, interface]


def _task(pick: Pick, labels: Sequence[str], root: Path, model: str) -> dict[str, Any]:
    candidate = pick.candidate
    width, height = candidate.size_px
    name = fingerprint_of(candidate.path)
    result = [
        {
            "id": f"{name}-{number}",
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "score": round(float(score), 4),
            "value": {
                "x": 100 * float(box[0]) / width,
                "y": 100 * float(box[1]) / height,
                "width": 100 * float(box[2] - box[0]) / width,
                "height": 100 * float(box[3] - box[1]) / height,
                "rotation": 0,
                "rectanglelabels": [labels[int(index)]],
            },
        }
        for number, (box, index, score) in enumerate(
            zip(candidate.boxes, candidate.classes, candidate.scores, strict=True)
        )
    ]
    mean = float(candidate.scores.mean()) if len(candidate.scores) else 0.0
    return {
        "data": {
            "image": LOCAL_FILES + quote(_relative(candidate.path, root)),
            "rank": pick.rank,
            "uncertainty": round(candidate.uncertainty, 4),
        },
        "predictions": [{"model_version": model, "score": round(mean, 4), "result": result}],
    }


def _write_cvat(picks: Sequence[Pick], labels: Sequence[str], path: Path, root: Path) -> None:
    document = Element("annotations")
    SubElement(document, "version").text = "1.1"
    listed = SubElement(SubElement(SubElement(document, "meta"), "task"), "labels")
    for label in labels:
        SubElement(SubElement(listed, "label"), "name").text = label
    for number, pick in enumerate(picks):
        candidate = pick.candidate
        width, height = candidate.size_px
        name = _relative(candidate.path, root)
        image = SubElement(document, "image", id=str(number), name=name, width=str(width), height=str(height))
        for box, index in zip(candidate.boxes, candidate.classes, strict=True):
            left, top, right, bottom = (f"{float(value):.2f}" for value in box)
            SubElement(
                image,
                "box",
                label=labels[int(index)],
                source="auto",
                occluded="0",
                xtl=left,
                ytl=top,
                xbr=right,
                ybr=bottom,
                z_order="0",
            )
    _write_xml(document, path)


def _write_xml(root: Element, path: Path) -> None:
    indent(root)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _relative(path: Path, root: Path) -> str:
    resolved, base = path.resolve(), root.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else resolved.as_posix()
