from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import ArtefactError, ModelError
from gpu import Session, open_session
from models.vision import (
    SIGNATURE,
    DetectorSpec,
    Head,
    build_parts,
    export_detector,
    merge_parts,
    read_detector,
    split_parts,
)
from models.vision.postprocessing import yolox_cells

from .networks import answering

LABELS = ("bin", "water", "car")
SIZE = 64
ANCHORS = 84


def spec_of(head: Head = Head.ULTRALYTICS, **options: object) -> DetectorSpec:
    return DetectorSpec(family="test", labels=LABELS, size_px=SIZE, head=head, **options)


def raw_of(*entries: tuple[float, float, float, float, int, float]) -> np.ndarray:
    """(4 + class, anchor) from centre x, y, width, height, class, score in input pixels."""
    raw = np.zeros((4 + len(LABELS), ANCHORS), np.float32)
    for index, (cx, cy, w, h, label, score) in enumerate(entries):
        raw[:4, index] = cx, cy, w, h
        raw[4 + label, index] = score
    return raw


def session_of(spec: DetectorSpec, core: onnx.ModelProto) -> Session:
    return open_session(merge_parts(spec, build_parts(spec, core)).SerializeToString())


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 255, (height, width, 3), np.uint8)


def test_boxes_come_back_in_pixels_of_the_picture():
    raw = raw_of((32, 32, 16, 16, 1, 0.9), (16, 24, 8, 4, 0, 0.5))
    session = session_of(spec_of(), answering(raw, SIZE))
    found = session.run({"image": picture(32, 128)})  # halved: 16 x 64 within 64 x 64, 24 rows of padding above
    assert session.signature == SIGNATURE
    np.testing.assert_allclose(found["boxes"], [[48, 0, 80, 32], [24, 0, 40, 4]], atol=1e-3)
    np.testing.assert_allclose(found["scores"], [0.9, 0.5])
    np.testing.assert_array_equal(found["classes"], [1, 0])


def test_padding_to_right_and_bottom_alone():
    session = session_of(spec_of(centred=False), answering(raw_of((16, 8, 8, 8, 2, 0.9)), SIZE))
    np.testing.assert_allclose(session.run({"image": picture(32, 128)})["boxes"], [[24, 8, 40, 24]], atol=1e-3)


def test_overlaps_are_suppressed_within_a_class_alone():
    raw = raw_of((32, 32, 20, 20, 0, 0.9), (33, 32, 20, 20, 0, 0.8), (33, 32, 20, 20, 1, 0.7))
    found = session_of(spec_of(), answering(raw, SIZE)).run({"image": picture(64, 64)})
    assert found["classes"].tolist() == [0, 1]


def test_nothing_seen_is_empty():
    found = session_of(spec_of(), answering(raw_of(), SIZE)).run({"image": picture(5, 7)})
    assert [found[name].shape for name in ("boxes", "scores", "classes")] == [(0, 4), (0,), (0,)]


def test_the_best_boxes_are_kept():
    entries = [(2.0 + index, 32, 1, 1, index % 3, (index + 1) / 100) for index in range(60)]
    found = session_of(spec_of(maximum_boxes=7), answering(raw_of(*entries), SIZE)).run({"image": picture(64, 64)})
    np.testing.assert_allclose(found["scores"], np.arange(60, 53, -1) / 100, atol=1e-6)


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_yolox_heads_are_decoded_at_any_opset(opset: int):
    raw = np.full((ANCHORS, 5 + len(LABELS)), -9, np.float32)
    raw[:, 4:] = 0
    offsets, strides = yolox_cells(SIZE)
    anchor = 64 + 5  # second level, 16 px: cell (1, 1)
    raw[anchor] = [0.5, 0.25, 0, np.log(2), 0.8, 0, 0.5, 0]
    spec = spec_of(Head.YOLOX, centred=False, channel_order="bgr", scale=1)
    found = session_of(spec, answering(raw, SIZE, opset)).run({"image": picture(64, 64)})
    assert (offsets[anchor].tolist(), strides[anchor]) == ([1, 1], 16)
    np.testing.assert_allclose(found["boxes"], [[16, 4, 32, 36]], atol=1e-4)
    np.testing.assert_allclose(found["scores"], [0.4], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_pre_keeps_aspect_pads_grey_and_geometry_leads_back(height: int, width: int, centred: bool):
    spec = spec_of(centred=centred)
    pre = open_session(build_parts(spec, answering(raw_of(), SIZE)).pre.SerializeToString())
    made = pre.run({"image": np.full((height, width, 3), 200, np.uint8)})
    factor_x, factor_y, left, top, given_width, given_height = made["geometry"].tolist()
    assert (given_width, given_height) == (width, height)
    assert left + factor_x * width <= SIZE + 1e-3
    assert top + factor_y * height <= SIZE + 1e-3
    assert max(factor_x * width, factor_y * height) == pytest.approx(SIZE, abs=1e-3)
    inside = np.abs(made["pixels"][0, 0] * 255 - 200) < 1
    assert inside.sum() == round(factor_x * width) * round(factor_y * height)
    assert np.abs(made["pixels"][0, 0][~inside] * 255 - 114).max(initial=0) < 0.01


def test_pre_samples_as_the_networks_were_trained():
    cv2 = pytest.importorskip("cv2")
    image = picture(90, 128)
    pre = open_session(build_parts(spec_of(), answering(raw_of(), SIZE)).pre.SerializeToString())
    made = (pre.run({"image": image})["pixels"][0].transpose(1, 2, 0) * 255)[9:54]
    expected = cv2.resize(image, (64, 45), interpolation=cv2.INTER_LINEAR)
    assert np.abs(made - expected).max() <= 1.01  # rounding alone


def test_bgr_swaps_the_colours():
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0] = 255
    for order, channel in (("rgb", 0), ("bgr", 2)):
        pre = build_parts(spec_of(channel_order=order, scale=1), answering(raw_of(), SIZE)).pre
        pixels = open_session(pre.SerializeToString()).run({"image": image})["pixels"]
        assert pixels[0, channel].min() == 255


def test_a_merged_graph_splits_into_its_parts_which_batch(tmp_path: Path):
    path = tmp_path / "detector.onnx"
    spec = spec_of()
    export_detector(spec, answering(raw_of((32, 32, 16, 16, 1, 0.9)), SIZE), path)
    read, model = read_detector(path)
    assert read == spec
    parts = split_parts(model)
    pre, core, post = (open_session(part.SerializeToString()) for part in (parts.pre, parts.core, parts.post))
    images = [picture(32, 128), picture(50, 40), picture(64, 64)]
    before = [pre.run({"image": image}) for image in images]
    raw = core.run({"pixels": np.concatenate([entry["pixels"] for entry in before])})["raw"]
    whole = open_session(path)
    for index, image in enumerate(images):
        found = post.run({"raw": raw[index : index + 1], "geometry": before[index]["geometry"]})
        for name, value in whole.run({"image": image}).items():
            np.testing.assert_array_equal(found[name], value)


def test_a_network_that_does_not_fit_is_refused():
    core = answering(raw_of(), SIZE)
    with pytest.raises(ModelError, match=r"shape \[None, 3, 64, 64\], expected \[None, 3, 96, 96\]"):
        build_parts(DetectorSpec(family="test", labels=LABELS, size_px=96, head=Head.ULTRALYTICS), core)
    with pytest.raises(ModelError, match="for 2 labels"):
        build_parts(DetectorSpec(family="test", labels=("a", "b"), size_px=64, head=Head.ULTRALYTICS), core)
    core.opset_import[0].version = 9
    with pytest.raises(ModelError, match="opset 9"):
        build_parts(spec_of(), core)


def test_other_files_are_refused(tmp_path: Path):
    path = tmp_path / "other.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_detector(path)
    onnx.save(answering(raw_of(), SIZE), str(path))
    with pytest.raises(ArtefactError, match="declares no detector"):
        read_detector(path)


def test_a_size_between_strides_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        DetectorSpec(family="test", labels=LABELS, size_px=100, head=Head.YOLOX)
