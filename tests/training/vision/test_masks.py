import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ConfigurationError
from training.vision.accuracy import Boxes, measure_accuracy
from training.vision.dataset import Split
from training.vision.forms import read_pictures
from training.vision.inspection import InspectionPolicy, inspect
from training.vision.masks import draw_outline, join_outline, mask_area, outline_area, stretch_mask, unpack_mask
from training.vision.recipe import SegmentRecipe
from training.vision.worker_job import write_job

from .folders import scene, write_coco, write_yolo

SQUARE = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]])
TRIANGLE = "0 0.2 0.2 0.8 0.2 0.2 0.8"


def test_an_outline_becomes_the_pixels_that_it_encloses():
    mask = unpack_mask(draw_outline((SQUARE,), 40, 20))
    expected = np.zeros((20, 40), bool)
    expected[5:15, 10:30] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_mask_is_stretched_over_its_box_and_cut_at_the_edge():
    half = np.zeros((28, 28), np.float32)
    half[:, 14:] = 1
    mask = unpack_mask(stretch_mask(half, np.array([10.0, 5.0, 30.0, 15.0]), 40, 20))
    assert np.argwhere(mask).min(axis=0).tolist() == [5, 20]
    assert np.argwhere(mask).max(axis=0).tolist() == [14, 29]
    assert mask_area(stretch_mask(np.ones((28, 28)), np.array([30.0, 10.0, 60.0, 40.0]), 40, 20)) == 100
    assert mask_area(stretch_mask(np.ones((28, 28)), np.array([50.0, 10.0, 60.0, 20.0]), 40, 20)) == 0


@given(st.floats(0.05, 0.2), st.floats(0.6, 0.9), st.integers(3, 9), st.integers(3, 9))
def test_joined_parts_enclose_what_the_parts_enclosed(low: float, high: float, first: int, second: int):
    def around(centre: float, points: int) -> np.ndarray:
        angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
        return centre + 0.04 * np.stack([np.cos(angles), np.sin(angles)], axis=1)

    parts = (around(low, first), around(high, second))
    joined = join_outline(parts)
    assert outline_area(joined) == pytest.approx(sum(map(outline_area, parts)), rel=1e-6)
    assert {tuple(point) for part in parts for point in part} <= {tuple(point) for point in joined}


def test_masks_are_compared_with_masks():
    box, classes = np.array([[10.0, 5.0, 30.0, 15.0]]), np.array([0])
    truth = Boxes(box, classes, masks=(draw_outline((SQUARE,), 40, 20),))
    whole, half = np.ones((28, 28)), np.ones((28, 28))
    half[:, 11:] = 0
    for mask, map50 in ((whole, 1.0), (half, 0.0)):
        found = Boxes(box, classes, np.array([0.9]), (stretch_mask(mask, box[0], 40, 20),))
        assert measure_accuracy([truth], [found], classes=1).map50 == pytest.approx(map50)
    found = Boxes(box, classes, np.array([0.9]), (stretch_mask(whole, box[0], 40, 20),))
    nothing = Boxes(np.empty((0, 4)), np.empty(0, np.int64), masks=())
    assert measure_accuracy([truth, nothing], [found, found], classes=1).map50 == pytest.approx(1)
    boxes_alone = measure_accuracy([Boxes(box, classes)], [Boxes(box, classes, np.array([0.9]))], classes=1)
    assert boxes_alone.map50 == pytest.approx(1)


def outlined(tmp_path: Path) -> Path:
    pictures = {"train": [(scene(seed), []) for seed in range(3)], "val": [(scene(9), [])]}
    folder = write_yolo(tmp_path, pictures, ("water",))
    for name in ("train/train0", "train/train1", "val/val0"):
        (folder / f"labels/{name}.txt").write_text(TRIANGLE)
    return folder


def test_polygons_are_read_and_laid_out_for_the_fit(tmp_path: Path):
    folder = outlined(tmp_path / "pictures")
    found = inspect(read_pictures(folder), InspectionPolicy(outlines=True))
    found.require_sound()
    (first, *_) = found.data.of(Split.TRAIN)
    np.testing.assert_allclose(first.boxes, [[0.2, 0.2, 0.8, 0.8]])
    recipe = SegmentRecipe.model_validate(
        {"name": "street.water", "task": "segment", "data": {"folder": "pictures"}, "folder": tmp_path}
    )
    write_job(recipe, found.data, tmp_path)
    lines = [path.read_text().split() for path in sorted((tmp_path / "data/labels/train").glob("*.txt"))]
    assert [len(line) for line in lines] == [7, 7, 0]
    assert [float(value) for value in lines[0]] == [float(value) for value in TRIANGLE.split()]


def test_a_segmenter_is_told_of_every_box_without_an_outline(tmp_path: Path):
    folder = outlined(tmp_path)
    (folder / "labels/train/train1.txt").write_text(f"{TRIANGLE}\n0 0.5 0.5 0.2 0.2")
    (folder / "labels/val/val0.txt").write_text("0 0.2 0.2 0.8 0.8 0.5 0.5")
    inspect(read_pictures(folder)).require_sound()  # enough for a detector
    with pytest.raises(ConfigurationError, match="1 of its 2 boxes have no outline") as raised:
        inspect(read_pictures(folder), InspectionPolicy(outlines=True)).require_sound()
    assert "1 of its outlines enclose nothing" in str(raised.value)


def test_polygons_of_coco_are_outlines_and_run_lengths_are_not(tmp_path: Path):
    boxes = [(0, 10.0, 10.0, 30.0, 30.0), (0, 40.0, 10.0, 60.0, 30.0)]
    folder = write_coco(tmp_path, {"train": [(scene(1), boxes)], "val": [(scene(2), [])]}, ("water",))
    path = folder / "annotations/instances_train2017.json"
    document = json.loads(path.read_text())
    document["annotations"][0]["segmentation"] = [[10, 10, 30, 10, 10, 30], [20, 20, 30, 20, 30, 30]]
    document["annotations"][1]["segmentation"] = {"size": [64, 96], "counts": "abc"}
    path.write_text(json.dumps(document))
    (first, second) = read_pictures(folder).of(Split.TRAIN)[0].outlines
    assert [part.shape for part in first] == [(3, 2), (3, 2)]
    np.testing.assert_allclose(first[0][1], [30 / 96, 10 / 64])
    assert second == ()
