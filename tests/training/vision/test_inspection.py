from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts import ConfigurationError
from training.vision.dataset import Split
from training.vision.forms import read_pictures
from training.vision.inspection import InspectionPolicy, inspect

from .folders import scene, write_coco, write_yolo

LABELS = ("bin", "water")
BOX = (0, 12.0, 8.0, 48.0, 32.0)


def sound(tmp_path: Path) -> Path:
    train = [(scene(seed), [BOX]) for seed in range(4)]
    return write_yolo(tmp_path, {"train": train, "val": [(scene(9), [BOX]), (scene(10), [])]}, LABELS)


def test_a_sound_set_passes_and_its_fingerprint_follows_the_data(tmp_path: Path):
    folder = sound(tmp_path)
    first, again = (inspect(read_pictures(folder)) for _ in range(2))
    first.require_sound()
    assert first.fingerprint == again.fingerprint
    assert first.class_boxes[Split.TRAIN] == (4, 0)
    (folder / "labels/val/val0.txt").write_text("1 0.3 0.3 0.2 0.2")
    assert inspect(read_pictures(folder)).fingerprint != first.fingerprint


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path):
    folder = sound(tmp_path)
    (folder / "labels/train/train0.txt").write_text("0 0.5 0.5 0 0.1")
    (folder / "labels/train/train1.txt").write_text("0 0.9 0.5 0.6 0.1")
    (folder / "labels/train/train2.txt").write_text("5 0.5 0.5 0.2 0.2")
    whole = (folder / "images/train/train3.png").read_bytes()
    (folder / "images/train/train3.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(folder / "images/val/val0.png")
    with pytest.raises(ConfigurationError, match="5 problems") as raised:
        inspect(read_pictures(folder)).require_sound()
    text = str(raised.value)
    for part in ("pixels small", "reaches out", "has the class 5", "broken or truncated", "colour mode"):
        assert part in text


def test_broken_pictures_can_be_left_out(tmp_path: Path):
    folder = sound(tmp_path)
    (folder / "images/train/train0.png").write_bytes(b"")
    (folder / "labels/train/train1.txt").write_text("what")
    found = inspect(read_pictures(folder), InspectionPolicy(leave_out=True))
    found.require_sound()
    assert len(found.data.of(Split.TRAIN)) == 3
    assert sum("train0.png" in str(w) or "train1.txt" in str(w) for w in found.warnings) == 2


def test_a_missing_picture_of_coco_is_told(tmp_path: Path):
    folder = write_coco(tmp_path, {"train": [(scene(1), [BOX])], "val": [(scene(2), [BOX])]}, LABELS)
    (folder / "train/0.png").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        inspect(read_pictures(folder)).require_sound()


def test_labels_made_for_the_unrotated_picture_are_told(tmp_path: Path):
    folder = write_coco(tmp_path, {"train": [(scene(1), [BOX])], "val": [(scene(2), [BOX])]}, LABELS)
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(1).save(folder / "train/0.png", exif=exif)
    with pytest.raises(ConfigurationError, match="made for 96x64 pixels, it is shown with 64x96"):
        inspect(read_pictures(folder)).require_sound()


def test_a_class_that_the_recipe_lacks_is_told_and_others_renumbered(tmp_path: Path):
    folder = sound(tmp_path)
    with pytest.raises(ConfigurationError, match=r"class 'bin'.*has 5 boxes"):
        inspect(read_pictures(folder), InspectionPolicy(labels=("water",))).require_sound()
    found = inspect(read_pictures(folder), InspectionPolicy(labels=("water", "bin")))
    assert found.data.of(Split.TRAIN)[0].classes.tolist() == [1]


def test_rare_classes_and_missing_negatives_are_warnings(tmp_path: Path):
    train = [(scene(seed), [BOX]) for seed in range(4)]
    folder = write_yolo(tmp_path, {"train": train, "val": [(scene(9), [BOX])]}, LABELS)
    (folder / "labels/train/train0.txt").unlink()
    found = inspect(read_pictures(folder))
    found.require_sound()
    text = "\n".join(map(str, found.warnings))
    for part in ("class 'water': has only 0 boxes", "1 pictures have no labels", "no picture that shows nothing"):
        assert part in text


def test_a_class_that_another_drowns_is_told(tmp_path: Path):
    folder = sound(tmp_path)
    many = "\n".join(f"0 {0.1 + 0.01 * number} .5 .1 .1" for number in range(70))
    (folder / "labels/train/train0.txt").write_text(f"{many}\n1 .5 .5 .2 .2")
    found = inspect(read_pictures(folder))
    found.require_sound()
    assert any("'water': has 1 boxes, 'bin' has 73" in str(warning) for warning in found.warnings)


def test_twins_between_splits_are_refused_or_put_together(tmp_path: Path):
    train = [(scene(seed), [BOX]) for seed in range(6)]
    val = [(scene(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT), [BOX]), (scene(30), [])]
    folder = write_yolo(tmp_path, {"train": train, "val": val}, LABELS)
    with pytest.raises(ConfigurationError, match=r"one scene stands in train and val \(2 pictures\)"):
        inspect(read_pictures(folder)).require_sound()
    found = inspect(read_pictures(folder), InspectionPolicy(split_again=True))
    found.require_sound()
    assert len(found.leaks) == 1
    assert len({picture.split for picture in found.data.pictures if picture.path.stem in ("train2", "val0")}) == 1
