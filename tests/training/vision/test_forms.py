import json
from pathlib import Path

import numpy as np
import pytest

from contracts import ConfigurationError
from training.vision.dataset import Split
from training.vision.forms import guess_form, read_pictures
from training.vision.inspection import inspect

from .folders import scene, write_coco, write_voc, write_yolo

LABELS = ("bin", "water")
SPLITS = {
    "train": [(scene(1), [(0, 12, 8, 48, 32), (1, 48, 32, 96, 64)]), (scene(2), [])],
    "val": [(scene(3), [(1, 24, 16, 72, 48)])],
}
WRITERS = {"yolo": write_yolo, "coco": write_coco, "voc": write_voc}


@pytest.mark.parametrize("form", sorted(WRITERS))
def test_the_three_forms_say_the_same(form: str, tmp_path: Path):
    folder = WRITERS[form](tmp_path / form, SPLITS, LABELS)
    data = read_pictures(folder)
    assert guess_form(folder) == form
    assert data.labels == LABELS
    assert data.problems == ()
    assert [len(picture.boxes) for picture in data.of(Split.TRAIN)] == [2, 0]
    first = data.of(Split.TRAIN)[0]
    np.testing.assert_allclose(first.boxes, [[0.125, 0.125, 0.5, 0.5], [0.5, 0.5, 1, 1]])
    np.testing.assert_array_equal(first.classes, [0, 1])
    assert all(picture.path.is_file() and picture.labelled for picture in data.pictures)


def test_folders_named_after_a_split_are_its_slices(tmp_path: Path):
    splits = {**SPLITS, "test": [(scene(4), [])], "test_night": [(scene(5), [(0, 12, 8, 48, 32)])]}
    data = read_pictures(write_yolo(tmp_path, splits, LABELS))
    assert data.slices(Split.TEST) == ["", "night"]
    assert [len(picture.boxes) for picture in data.of(Split.TEST, "night")] == [1]


def test_polygons_become_their_bounding_box(tmp_path: Path):
    folder = write_yolo(tmp_path, SPLITS, LABELS)
    (folder / "labels/val/val0.txt").write_text("1 0.5 0.1 0.9 0.5 0.5 0.8 0.2 0.5")
    np.testing.assert_allclose(read_pictures(folder).of(Split.VALIDATION)[0].boxes, [[0.2, 0.1, 0.9, 0.8]])


def test_every_broken_label_line_is_told(tmp_path: Path):
    folder = write_yolo(tmp_path, SPLITS, LABELS)
    (folder / "labels/val/val0.txt").write_text("0 0.5 0.5\nx 0.5 0.5 0.1 0.1\n0 nan 0.5 0.1 0.1\n0 0.5 0.5 -0.1 0.1")
    problems = read_pictures(folder).problems
    assert [problem.where for problem in problems] == [f"val/val0.txt:{line}" for line in (1, 2, 3, 4)]
    assert "3 numbers" in problems[0].message
    assert "no number" in problems[1].message
    assert "not finite" in problems[2].message
    assert "negative" in problems[3].message


def test_a_description_with_several_mistakes_tells_all(tmp_path: Path):
    (tmp_path / "data.yaml").write_text("train: images/train\nval: ../../etc\nnames: 5")
    with pytest.raises(ConfigurationError, match="3 problems") as raised:
        read_pictures(tmp_path)
    assert [p.where for p in raised.value.problems] == ["data.yaml: names", "data.yaml: val", "data.yaml: train"]


def test_exported_sets_that_say_parent_folder_are_found(tmp_path: Path):
    folder = write_yolo(tmp_path, SPLITS, LABELS)
    (folder / "data.yaml").write_text("train: ../images/train\nval: ../images/val\nnames: [bin, water]")
    assert len(read_pictures(folder).pictures) == 3


def test_a_folder_named_for_two_splits_is_not_trained_on(tmp_path: Path):
    folder = write_yolo(tmp_path, SPLITS, LABELS)
    (folder / "data.yaml").write_text("train: images/val\nval: images/val\nnames: [bin, water]")
    data = read_pictures(folder)
    assert [len(data.of(split)) for split in (Split.TRAIN, Split.VALIDATION)] == [0, 1]


def test_broken_annotations_of_coco_are_told(tmp_path: Path):
    folder = write_coco(tmp_path, SPLITS, LABELS)
    path = folder / "annotations/instances_val2017.json"
    document = json.loads(path.read_text())
    document["annotations"] += [
        {"id": 7, "image_id": 0, "category_id": 99, "bbox": [0, 0, 1, 1]},
        {"id": 8, "image_id": 0, "category_id": 10, "bbox": [0, 0, -1, 1]},
        {"id": 9, "image_id": 42, "category_id": 10, "bbox": [0, 0, 1, 1]},
    ]
    document["images"].append({"id": 5, "file_name": "x.png", "width": 0, "height": 4})
    path.write_text(json.dumps(document))
    text = "\n".join(str(problem) for problem in read_pictures(folder).problems)
    for part in ("unknown category 99", "the box [0, 0, -1, 1]", "picture 42 is not among", "has the size 0x4"):
        assert part in text


def test_unreadable_annotations_are_refused(tmp_path: Path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/train.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"train\.json: cannot be read"):
        read_pictures(tmp_path)


def test_broken_annotations_of_voc_are_told_and_entities_refused(tmp_path: Path):
    folder = write_voc(tmp_path, SPLITS, LABELS)
    bomb = '<!DOCTYPE a [<!ENTITY e "x">]><annotation>&e;</annotation>'
    (folder / "Annotations/val0.xml").write_text(bomb)
    (folder / "Annotations/train1.xml").write_text("<annotation><size><width>0</width></size></annotation>")
    problems = read_pictures(folder).problems
    assert {problem.where for problem in problems} == {"Annotations/val0.xml", "Annotations/train1.xml"}


def test_a_folder_of_no_form_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"neither data\.yaml"):
        read_pictures(tmp_path)
    with pytest.raises(ConfigurationError, match="is no folder"):
        read_pictures(tmp_path / "nowhere")


def test_a_description_of_another_name_and_lists_of_pictures_are_read(tmp_path: Path):
    folder = write_yolo(tmp_path, {"train": [(scene(1), [])], "val": [(scene(2), [])]}, ("bin",))
    (folder / "data.yaml").rename(folder / "street.yaml")
    assert len(read_pictures(folder).pictures) == 2
    (folder / "train.txt").write_text("./images/train/train0.png\n\nimages/train/gone.png\n../outside.png\n")
    (folder / "street.yaml").write_text("train: train.txt\nval: images/val\nnames: [bin]")
    data = read_pictures(folder)
    assert [picture.path.name for picture in data.of(Split.TRAIN)] == ["train0.png", "gone.png"]
    assert [str(problem.where) for problem in data.problems] == ["train.txt"]


def test_labels_without_a_picture_and_pictures_of_other_forms_are_told(tmp_path: Path):
    folder = write_yolo(tmp_path, {"train": [(scene(1), []), (scene(2), [])], "val": [(scene(3), [])]}, ("bin",))
    (folder / "images/train/train0.png").unlink()
    scene(4).save(folder / "images/val/other.bmp")
    told = [str(problem) for problem in read_pictures(folder).problems]
    assert len(told) == 2
    assert "val/other.bmp: is a picture of the form '.bmp'" in told[0]
    assert "train/train0.txt: labels a picture that is missing" in told[1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0.0 .5 .5 .2 .2", None),
        ("\ufeff0 .5 .5 .2 .2", None),
        ("0.5 .5 .5 .2 .2", "no whole number"),
        ("9" * 30 + " .5 .5 .2 .2", "no whole number"),
    ],
)
def test_classes_as_exporters_write_them(tmp_path: Path, line: str, expected: str | None):
    folder = write_yolo(tmp_path, {"train": [(scene(1), [])], "val": [(scene(2), [])]}, ("bin",))
    (folder / "labels/train/train0.txt").write_text(line)
    told = [str(problem) for problem in read_pictures(folder).problems]
    assert (not told) if expected is None else (expected in told[0])


def change(path: tuple[str | int, ...], value: object):
    def apply(document: dict) -> None:
        *outer, last = path
        inner = document
        for key in outer:
            inner = inner[key]
        inner[last] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("categories", 0), {"name": "bin"}, "categories"),
        (("categories", 0), "bin", "categories"),
        (("categories", 0, "name"), None, "categories"),
        (("annotations", 0), "box", "image_id"),
        (("annotations", 0, "image_id"), [1], "image_id"),
        (("annotations", 0, "category_id"), [1], "unknown category"),
        (("annotations", 0, "bbox"), [float("nan")] * 4, "has the box"),
        (("images", 0, "id"), [1], "the id"),
        (("images", 0, "width"), "wide", "is broken"),
    ],
    ids=str,
)
def test_broken_entries_of_coco_are_told(tmp_path: Path, path: tuple[str | int, ...], value: object, expected: str):
    pictures = {"train": [(scene(1), [(0, 1.0, 1.0, 30.0, 30.0)])], "val": [(scene(2), [])]}
    folder = write_coco(tmp_path, pictures, ("bin",))
    file = folder / "annotations/instances_train2017.json"
    document = json.loads(file.read_text())
    change(path, value)(document)
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match=expected):
        inspect(read_pictures(folder)).require_sound()
