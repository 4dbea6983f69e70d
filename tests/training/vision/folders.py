"""Small data sets on disk, in each form, for the tests of this folder."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

Boxes = list[tuple[int, float, float, float, float]]
"""class, left, top, right, bottom in pixels"""


def scene(seed: int, width: int = 96, height: int = 64) -> Image.Image:
    """A picture of its own: coarse random blocks, so that no two seeds look alike."""
    blocks = np.random.default_rng(seed).integers(0, 255, (8, 12, 3), np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)


def write_yolo(root: Path, splits: dict[str, list[tuple[Image.Image, Boxes]]], labels: tuple[str, ...]) -> Path:
    for split, pictures in splits.items():
        for index, (picture, boxes) in enumerate(pictures):
            image = root / "images" / split / f"{split}{index}.png"
            label = root / "labels" / split / f"{split}{index}.txt"
            image.parent.mkdir(parents=True, exist_ok=True)
            label.parent.mkdir(parents=True, exist_ok=True)
            picture.save(image)
            lines = [
                f"{c} {(x1 + x2) / 2 / picture.width} {(y1 + y2) / 2 / picture.height} "
                f"{(x2 - x1) / picture.width} {(y2 - y1) / picture.height}"
                for c, x1, y1, x2, y2 in boxes
            ]
            label.write_text("\n".join(lines))
    keys = "".join(f"{split}: images/{split}\n" for split in splits if "_" not in split)
    names = "".join(f"  {index}: {label}\n" for index, label in enumerate(labels))
    (root / "data.yaml").write_text(f"path: .\n{keys}names:\n{names}")
    return root


def write_coco(root: Path, splits: dict[str, list[tuple[Image.Image, Boxes]]], labels: tuple[str, ...]) -> Path:
    (root / "annotations").mkdir(parents=True)
    for split, pictures in splits.items():
        images, annotations = [], []
        (root / split).mkdir()
        for index, (picture, boxes) in enumerate(pictures):
            picture.save(root / split / f"{index}.png")
            images.append({"id": index, "file_name": f"{index}.png", "width": picture.width, "height": picture.height})
            for c, x1, y1, x2, y2 in boxes:
                box = [x1, y1, x2 - x1, y2 - y1]
                annotations.append({"id": len(annotations), "image_id": index, "category_id": c + 10, "bbox": box})
        categories = [{"id": index + 10, "name": label} for index, label in enumerate(labels)]
        document = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(document))
    return root


def write_voc(root: Path, splits: dict[str, list[tuple[Image.Image, Boxes]]], labels: tuple[str, ...]) -> Path:
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for split, pictures in splits.items():
        names = []
        for index, (picture, boxes) in enumerate(pictures):
            name = f"{split}{index}"
            names.append(name)
            picture.save(root / "JPEGImages" / f"{name}.jpg", quality=95)
            objects = "".join(
                f"<object><name>{labels[c]}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
                f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
                for c, x1, y1, x2, y2 in boxes
            )
            size = f"<size><width>{picture.width}</width><height>{picture.height}</height></size>"
            (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names))
    return root
