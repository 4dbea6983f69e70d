from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts import DataError, decode_picture
from gpu import open_session
from models.vision import DetectorSpec, Head, build_parts, merge_parts
from tests.models.vision.networks import answering
from training.vision import Split, read_pictures
from training.vision.ratios import fit_ratios
from training.vision.scenes import (
    LABELS,
    DrawingPlan,
    Light,
    Weather,
    draw_dataset,
    draw_scene,
    imagine_scene,
    tell_story,
)

PLAN = DrawingPlan(train=6, validation=4, test=3, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("drawn"), PLAN)


def test_the_same_seed_draws_the_same_bytes() -> None:
    one, other = (draw_scene(imagine_scene(3, weather=Weather.RAIN)) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.boxes_xyxy_px, other.boxes_xyxy_px)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_lie_within_the_picture_and_hold_something(seed: int) -> None:
    drawn = draw_scene(imagine_scene(seed, light=Light.NIGHT if seed % 2 else Light.DAY))
    height, width = drawn.pixels.shape[:2]
    assert drawn.pixels.dtype == np.uint8
    for (left, top, right, bottom), index in zip(drawn.boxes_xyxy_px, drawn.classes, strict=True):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert 0 <= index < len(LABELS)


def test_a_scene_with_nothing_has_no_box() -> None:
    assert [len(draw_scene(imagine_scene(seed, empty=True)).classes) for seed in range(4)] == [0] * 4


def test_night_is_dark_and_rain_is_grey() -> None:
    day, night, rain = (
        draw_scene(imagine_scene(11, light=light, weather=weather)).pixels.astype(np.float64)
        for light, weather in ((Light.DAY, Weather.DRY), (Light.NIGHT, Weather.DRY), (Light.DAY, Weather.RAIN))
    )
    assert night.mean() < 0.6 * day.mean()
    assert np.ptp(rain, axis=2).mean() < 0.8 * np.ptp(day, axis=2).mean()


def test_a_mirrored_scene_moves_its_boxes_too() -> None:
    scenes = (imagine_scene(seed) for seed in range(40))
    scene = next(each for each in scenes if each.mirrored and any(t.kind == "vehicle" for t in each.things))
    drawn = draw_scene(scene)
    left, top, right, bottom = drawn.boxes_xyxy_px[drawn.classes == LABELS.index("vehicle")][0].astype(int)
    inside = drawn.pixels[top:bottom, left:right].astype(np.float64)
    assert inside.std() > 20  # body, glass and lamps: not plain asphalt


def test_a_drawn_folder_is_an_ordinary_data_set(folder: Path) -> None:
    data = read_pictures(folder)
    assert data.labels == LABELS
    assert {name: len(data.of(Split.VALIDATION, name)) for name in data.slices(Split.VALIDATION)} == {
        "": 4,
        "night": 4,
        "rain": 4,
    }
    assert len(data.of(Split.TRAIN)) == 6
    assert "no real place" in (folder / "DRAWN.md").read_text()


def test_the_story_goes_from_dry_to_flooded() -> None:
    frames = list(tell_story(minutes=30, every_s=60))
    kinds = [{thing.kind for thing in frame.scene.things} for frame in frames]
    assert frames[0].rain_mm_h == 0
    assert max(frame.rain_mm_h for frame in frames) > 30
    assert "standing_water" not in kinds[0]
    assert {"standing_water", "vehicle", "overflowing_bin"} <= kinds[-1]
    assert frames[-1].scene.light is Light.NIGHT


def blind_detector() -> bytes:
    """Return a detector of the drawn labels that sees nothing at all."""
    raw = np.zeros((4 + len(LABELS), 84), np.float32)
    spec = DetectorSpec(family="test", labels=LABELS, size_px=64, head=Head.ULTRALYTICS)
    return bytes(merge_parts(spec, build_parts(spec, answering(raw, 64))).SerializeToString())


def test_a_blind_detector_is_worth_nothing_as_evidence(tmp_path: Path) -> None:
    data = draw_dataset(tmp_path, DrawingPlan(train=0, validation=24, test=0, seed=3))
    ratios = fit_ratios(open_session(blind_detector()), data, "standing_water", model="blind:1")
    assert set(ratios.curves) == {"", "night", "rain"}
    assert ratios.curves["night"].brightness[1] < ratios.curves[""].brightness[0] + 60
    assert abs(ratios.log_ratio(0.0, 120)) < 0.1
    pixels = decode_picture(next((tmp_path / "images" / "val").glob("*.jpg")).read_bytes())
    assert pixels.shape == (336, 448, 3)


def test_an_unknown_label_is_told(folder: Path) -> None:
    with pytest.raises(DataError, match="'cat' is not among those"):
        fit_ratios(open_session(blind_detector()), folder, "cat")
