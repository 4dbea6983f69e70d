from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, UnidentifiedImageError

from contracts import ModelError
from gpu import open_session
from models.vision import DetectorSpec, Head, build_parts
from models.vision.ultralytics_adapter import FitSettings, build_network, convert_core, fit, prepare
from models.vision.ultralytics_adapter.preparation import SILENT_SETTINGS

SIZE = 64


@pytest.fixture(scope="module", autouse=True)
def prepared(tmp_path_factory: pytest.TempPathFactory) -> None:
    prepare(tmp_path_factory.mktemp("ultralytics"))


def settings(tmp_path: Path, **changes: object) -> FitSettings:
    values = {
        "architecture": "yolov5n",
        "weights": None,
        "data": tmp_path / "data.yaml",
        "folder": tmp_path,
        "size_px": SIZE,
        "epochs": 1,
        "budget_s": None,
        "patience": 5,
        "batch": 4,
        "learning_rate": 0.001,
        "seed": 0,
    }
    return FitSettings(**(values | changes))


@pytest.mark.parametrize("architecture", ["yolo11n", "yolo26n"])
def test_the_exported_core_agrees_with_torch_for_any_batch(architecture: str):
    torch.manual_seed(0)
    network = build_network(architecture, classes=3).model
    core = convert_core(network, SIZE)
    parts = build_parts(DetectorSpec(family="t", labels=("a", "b", "c"), size_px=SIZE, head=Head.ULTRALYTICS), core)
    session = open_session(parts.core.SerializeToString())
    pixels = np.random.default_rng(0).random((3, 3, SIZE, SIZE), np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(session.run({"pixels": pixels})["raw"], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ("nowhere.pt", "ultralytics publishes no such file"),
        ("folder/yolo11n.pt", "only a bare name"),
        ("yolo11n.pt", "this machine is offline, or YOLO_OFFLINE is set"),
    ],
)
def test_missing_weights_are_an_error_and_no_silent_start(tmp_path: Path, weights: str, reason: str):
    with pytest.raises(ModelError, match=f"do not exist as a file, and cannot be fetched by that name: {reason}"):
        fit(settings(tmp_path, weights=weights), print)


def test_broken_weights_are_an_error(tmp_path: Path):
    for name in ("w.pt", "w.npz"):
        (tmp_path / name).write_bytes(b"broken")
        with pytest.raises(ModelError, match="cannot be read"):
            fit(settings(tmp_path, weights=tmp_path / name), print)


def test_arrays_of_another_network_are_an_error(tmp_path: Path):
    np.savez(tmp_path / "w.npz", **{"model.0.conv.weight": np.zeros((1, 2, 3), np.float32)})
    with pytest.raises(ModelError, match="Only 0 of the 1 arrays"):
        fit(settings(tmp_path, weights=tmp_path / "w.npz"), print)


def test_an_unknown_architecture_is_an_error():
    with pytest.raises(ModelError, match="Unknown architecture 'yolo99z'"):
        build_network("yolo99z", classes=1)


def test_ultralytics_tracking_is_off():
    from ultralytics import settings as own

    assert [key for key in SILENT_SETTINGS if own.get(key)] == []


def test_pillow_stays_as_it_was():
    assert Image.open.__module__ == "PIL.Image"
    with pytest.raises(UnidentifiedImageError, match="cannot identify"):
        Image.open(BytesIO(b"no picture"))
