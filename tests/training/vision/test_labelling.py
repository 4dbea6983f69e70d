import json
from pathlib import Path

import numpy as np
import pytest
from defusedxml.ElementTree import parse
from PIL import Image

from contracts import ConfigurationError
from gpu import open_session
from models.vision import DetectorSpec, Head, export_detector
from tests.models.vision.networks import answering
from training.vision import LabelForm, find_pictures, look_at, look_through, pick_pictures, write_picks
from training.vision.labelling import Candidate, doubt

from .folders import scene

RAW = np.array([[20, 20, 16, 16, 0.3], [44, 40, 20, 20, 0.95]], np.float32).T


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    export_detector(
        DetectorSpec(family="t", labels=("bin",), size_px=64, head=Head.ULTRALYTICS), answering(RAW, 64), path
    )
    return open_session(path)


def candidate(seed: int, uncertainty: float, *, mirrored: bool = False) -> Candidate:
    picture = scene(seed)
    pixels = np.asarray(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else picture)
    empty = np.zeros((0, 4), np.float32)
    return Candidate(Path(f"{seed}.png"), (96, 64), empty, empty[:, 0], empty[:, 0], uncertainty, look_at(pixels))


def test_doubt_is_greatest_where_the_application_cuts():
    assert doubt(np.array([0.0, 0.1, 0.2, 0.6, 1.0]), 0.2).tolist() == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_doubtful_pictures_come_first_and_twins_last():
    candidates = [candidate(1, 0.2), candidate(2, 0.9), candidate(2, 0.8, mirrored=True), candidate(3, 0.5)]
    picked = [pick.candidate for pick in pick_pictures(candidates, 4)]
    assert [one.uncertainty for one in picked] == [0.9, 0.5, 0.2, 0.8]


def test_what_is_labelled_already_is_worth_little():
    candidates = [candidate(1, 0.9), candidate(2, 0.2)]
    picked = pick_pictures(candidates, 2, labelled=[candidate(1, 0).look])
    assert [pick.candidate.path.name for pick in picked] == ["2.png", "1.png"]


def test_fewer_pictures_than_asked_for():
    assert len(pick_pictures([candidate(1, 0.1)], 5)) == 1
    assert pick_pictures([], 5) == []


def test_broken_pictures_are_left_out_and_named(tmp_path: Path, session):
    scene(1).save(tmp_path / "good.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    candidates, problems = look_through(session, find_pictures(tmp_path), least_score=0.5)
    assert [one.path.name for one in candidates] == ["good.png"]
    assert "broken.jpg" in str(problems[0])
    assert len(candidates[0].boxes) == 1
    assert candidates[0].uncertainty > 0


def test_a_folder_without_pictures_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="holds no JPEG or PNG"):
        find_pictures(tmp_path)


@pytest.fixture
def picks(tmp_path: Path, session):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "new folder").mkdir()
    scene(1).save(tmp_path / "new folder" / "turned.jpg", exif=exif)
    candidates, _ = look_through(session, find_pictures(tmp_path), least_score=0.5)
    return pick_pictures(candidates, 5)


def test_label_studio_gets_tasks_with_predictions_in_per_cent(tmp_path: Path, picks):
    written = write_picks(picks, ["bin"], tmp_path / "t.json", form=LabelForm.LABEL_STUDIO, root=tmp_path, model="m:1")
    (task,) = json.loads(written[0].read_text())
    assert task["data"]["image"] == "/data/local-files/?d=new%20folder/turned.jpg"
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == "m:1"
    (box,) = prediction["result"]
    assert (box["original_width"], box["original_height"]) == (64, 96)  # as it is shown
    assert box["value"]["rectanglelabels"] == ["bin"]
    expected = picks[0].candidate.boxes[0]
    assert box["value"]["x"] * 64 / 100 == pytest.approx(float(expected[0]))
    assert (box["value"]["y"] + box["value"]["height"]) * 96 / 100 == pytest.approx(float(expected[3]))
    assert [label.get("value") for label in parse(written[1]).iter("Label")] == ["bin"]


def test_cvat_gets_images_with_boxes_in_pixels(tmp_path: Path, picks):
    (path,) = write_picks(picks, ["bin"], tmp_path / "a.xml", form=LabelForm.CVAT, root=tmp_path, model="m:1")
    document = parse(path)
    assert document.findtext("version") == "1.1"
    (image,) = document.iter("image")
    assert (image.get("name"), image.get("width"), image.get("height")) == ("new folder/turned.jpg", "64", "96")
    (box,) = image.iter("box")
    given = [float(box.get(key) or "nan") for key in ("xtl", "ytl", "xbr", "ybr")]
    assert given == pytest.approx(picks[0].candidate.boxes[0].tolist(), abs=0.01)
