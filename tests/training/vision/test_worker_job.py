"""What the fitting process is given shows what the network will be asked about."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from contracts import decode_picture
from training.vision.forms import read_pictures
from training.vision.recipe import DetectRecipe
from training.vision.worker import spent_before
from training.vision.worker_job import write_job

from .folders import scene, write_yolo

BOX = (0, 12.0, 8.0, 48.0, 32.0)


def recipe(tmp_path: Path) -> DetectRecipe:
    return DetectRecipe.model_validate({"name": "a.b", "task": "detect", "data": {"folder": "p"}, "folder": tmp_path})


@pytest.mark.parametrize(("mode", "orientation"), [("RGB", 1), ("RGB", 6), ("CMYK", 1), ("L", 3)])
def test_rotated_and_colour_separated_pictures_are_fitted_as_they_are_shown(
    tmp_path: Path, mode: str, orientation: int
):
    folder = write_yolo(tmp_path / "p", {"train": [(scene(1), [BOX])], "val": [(scene(2), [BOX])]}, ("bin",))
    source = folder / "images/train/train0.jpg"
    (folder / "images/train/train0.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene(1).convert(mode).save(source, exif=exif, quality=95)
    write_job(recipe(tmp_path), read_pictures(folder), tmp_path / "w")
    (written,) = (tmp_path / "w/data/images/train").iterdir()
    shown = decode_picture(source.read_bytes())
    seen = cv2.imread(str(written), cv2.IMREAD_COLOR)[..., ::-1]
    assert seen.shape == shown.shape
    assert np.abs(seen.astype(int) - shown.astype(int)).mean() < 2  # decoders differ by a rounding


def test_the_job_carries_labels_and_published_names_of_weights(tmp_path: Path):
    folder = write_yolo(tmp_path / "p", {"train": [(scene(1), [BOX])], "val": [(scene(2), [])]}, ("bin",))
    named = recipe(tmp_path)
    named = named.model_copy(update={"model": named.model.model_copy(update={"weights": "yolo11n.pt"})})
    job = json.loads(write_job(named, read_pictures(folder), tmp_path / "w").read_text())
    assert job["weights"] == "yolo11n.pt"
    labels = (tmp_path / "w/data/labels/train/0000000.txt").read_text().split()
    assert [float(value) for value in labels] == pytest.approx([0, 30 / 96, 20 / 64, 36 / 96, 24 / 64])
    assert (tmp_path / "w/data/labels/val/0000000.txt").read_text() == ""


def test_time_of_earlier_attempts_counts(tmp_path: Path):
    assert spent_before(tmp_path / "progress.jsonl") == 0
    (tmp_path / "progress.jsonl").write_text('{"spent_s": 3.5}\n{"spent_s": 7.25}\n{"spent_')
    assert spent_before(tmp_path / "progress.jsonl") == 7.25
