"""A segmenter's graph around a network whose answer is known."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from contracts import ModelError
from gpu import open_session
from models.vision import MASK_PX, SEGMENT_SIGNATURE, DetectorSpec, Head, export_segmenter
from models.vision.graph import FLOAT, GraphWriter

SIZE = 64
SPEC = DetectorSpec(family="net", labels=("bin", "water"), size_px=SIZE, head=Head.ULTRALYTICS)


def answering(raw: np.ndarray, prototypes: np.ndarray) -> onnx.ModelProto:
    """A core that answers the same to every picture."""
    graph = GraphWriter("net", 18)
    pixels = graph.add_input("in", FLOAT, ["batch", 3, SIZE, SIZE])
    first = graph.apply("Reshape", graph.slice(pixels, 0, 1, 1), graph.constant([0, -1], np.int64))
    zero = graph.apply("Mul", graph.slice(first, 0, 1, 1), graph.constant(0.0))  # (batch, 1)
    for name, value in (("out", raw), ("protos", prototypes)):
        shape = graph.constant([-1] + [1] * value.ndim, np.int64)
        graph.apply("Add", graph.apply("Reshape", zero, shape), graph.constant(value[None]), to=name)
        graph.add_output(name, FLOAT, ["batch", *value.shape])
    return graph.finish(8)


def known() -> onnx.ModelProto:
    """One box over the middle, of class 1; its mask is the right half of the picture (prototype 0), not the other."""
    raw = np.zeros((4 + 2 + 2, 3), np.float32)  # (cx cy w h, class, mask; anchor)
    raw[:, 1] = [32, 32, 32, 16, 0, 0.9, 1, 0]
    prototypes = np.full((2, SIZE // 4, SIZE // 4), -8, np.float32)
    prototypes[0, :, SIZE // 8 :] = 8
    return answering(raw, prototypes)


def test_a_mask_is_stretched_over_its_box_in_pixels_of_the_picture(tmp_path: Path):
    export_segmenter(SPEC, known(), tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx")
    assert session.signature == SEGMENT_SIGNATURE
    answer = session.run({"image": np.zeros((128, 256, 3), np.uint8)})  # scaled by a quarter, 16 px padded above
    np.testing.assert_allclose(answer["boxes"], [[64, 32, 192, 96]], atol=1e-3)
    np.testing.assert_allclose(answer["scores"], [0.9], atol=1e-6)
    assert answer["classes"].tolist() == [1]
    (mask,) = answer["masks"]
    assert mask.shape == (MASK_PX, MASK_PX)
    half = MASK_PX // 2
    assert mask[:, : half - 2].max() < 0.1
    assert mask[:, half + 2 :].min() > 0.9


def test_nothing_found_is_no_mask(tmp_path: Path):
    raw, prototypes = np.zeros((8, 3), np.float32), np.zeros((2, 16, 16), np.float32)
    export_segmenter(SPEC, answering(raw, prototypes), tmp_path / "net.onnx")
    answer = open_session(tmp_path / "net.onnx").run({"image": np.zeros((64, 64, 3), np.uint8)})
    assert answer["boxes"].shape == (0, 4)
    assert answer["masks"].shape == (0, MASK_PX, MASK_PX)


@pytest.mark.parametrize(
    ("raw", "prototypes"), [((7, 3), (2, 16, 16)), ((8, 3), (2, 8, 8)), ((8, 3), (3, 16, 16))], ids=str
)
def test_a_network_that_does_not_fit_is_refused(tmp_path: Path, raw: tuple[int, ...], prototypes: tuple[int, ...]):
    core = answering(np.zeros(raw, np.float32), np.zeros(prototypes, np.float32))
    with pytest.raises(ModelError, match="Correct the spec"):
        export_segmenter(SPEC, core, tmp_path / "net.onnx")
