from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from contracts import ArtefactError, ModelError
from operations.feeds.cameras import KeepSettings
from operations.feeds.detector import Sighting
from operations.feeds.privacy import FaceFinder, FrameKeeper, blur, enlarge, sweep
from operations.feeds.sources import Frame
from operations.feeds.tracking import Tracked
from operations.feeds.watch import Look

FACE = (177, 56, 275, 180)
"""Where the face is in scikit-image's picture of an astronaut, drawn by hand."""
NOBODY = Tracked(np.empty((0, 4)), np.empty(0), (), np.empty(0, np.int64))
KEEP = KeepSettings(every_s=10, days=7, vehicles=("van",))


@pytest.fixture(scope="module")
def faces() -> FaceFinder:
    return FaceFinder()


def look(pixels: np.ndarray, time_ms: int = 1_700_000_000_000, *, van: tuple[float, ...] | None = None) -> Look:
    boxes = np.array([van or (0, 0, 0, 0)], np.float64)
    seen = Sighting(boxes, np.array([0.15]), ("van" if van else "person",))
    return Look(Frame(time_ms, pixels), seen, NOBODY)


def sharpness(pixels: np.ndarray) -> float:
    """Mean difference of neighbours."""
    grey = pixels.mean(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def test_a_face_is_found(faces: FaceFinder) -> None:
    found = faces.find(data.astronaut())
    assert len(found) == 1
    left, top, right, bottom = found[0]
    assert left < (FACE[0] + FACE[2]) / 2 < right
    assert top < (FACE[1] + FACE[3]) / 2 < bottom


def test_nothing_is_no_face(faces: FaceFinder) -> None:
    assert len(faces.find(np.full((100, 75, 3), 128, np.uint8))) == 0


def test_a_kept_frame_shows_no_face_and_no_plate(faces: FaceFinder, tmp_path: Path) -> None:
    pixels = data.astronaut()
    keeper = FrameKeeper(tmp_path, KEEP, faces)
    path = keeper.offer(look(pixels, van=(0.6, 0.5, 0.9, 0.9)))
    assert path is not None
    kept = np.asarray(Image.open(path))
    left, top, right, bottom = FACE
    assert sharpness(kept[top:bottom, left:right]) < 0.35 * sharpness(pixels[top:bottom, left:right])
    assert sharpness(kept[380:455, 320:450]) < 0.6 * sharpness(pixels[380:455, 320:450])
    assert len(faces.find(kept)) == 0


def test_frames_are_kept_no_more_often_than_asked(faces: FaceFinder, tmp_path: Path) -> None:
    keeper, pixels = FrameKeeper(tmp_path, KEEP, faces), np.zeros((64, 64, 3), np.uint8)
    kept = [keeper.offer(look(pixels, 1_700_000_000_000 + step * 4000)) for step in range(6)]
    assert [each is not None for each in kept] == [True, False, False, True, False, False]


class Broken(FaceFinder):
    """A face detector whose graph fails."""

    def __init__(self) -> None:
        pass

    def find(self, pixels: np.ndarray) -> np.ndarray:
        message = "the graph failed"
        raise ModelError(message)


def test_what_cannot_be_blurred_is_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = FrameKeeper(tmp_path, KEEP, Broken())
    assert keeper.offer(look(data.astronaut())) is None
    assert list(tmp_path.rglob("*.jpg")) == []
    assert "is not kept, because it cannot be blurred" in caplog.text


def test_a_frame_without_an_answer_is_not_kept(faces: FaceFinder, tmp_path: Path) -> None:
    unanswered = Look(Frame(1_700_000_000_000, data.astronaut()), None, NOBODY)
    keeper = FrameKeeper(tmp_path, KEEP, faces)
    assert keeper.offer(unanswered) is None
    with pytest.raises(ModelError, match="did not say where vehicles are"):
        keeper.hide(unanswered)


def test_a_missing_face_detector_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        FaceFinder(tmp_path / "nothing.onnx")


def test_old_frames_are_deleted(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for name, days in (("old", 8), ("new", 6)):
        path = tmp_path / "20260101" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (now.timestamp() - days * 86_400,) * 2)
    assert sweep(tmp_path, 7, now) == 1
    assert [path.stem for path in tmp_path.rglob("*.jpg")] == ["new"]


def test_a_blur_reaches_over_no_edge() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    boxes = enlarge(np.array([[-5.0, -5.0, 8.0, 8.0], [30.0, 30.0, 40.0, 40.0]]))
    blurred = blur(pixels, boxes)
    assert blurred.shape == pixels.shape
    np.testing.assert_array_equal(blurred[12:, 12:], pixels[12:, 12:])
