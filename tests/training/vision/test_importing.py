from pathlib import Path

import onnx
import pytest

from contracts import ConfigurationError
from registry import Registry
from store import ReleaseStore, Store
from training.vision import import_declared, load_declaration

from .test_production import green_finder, pictures

DECLARATION = """
name = "street.imported"
network = "net.onnx"
[data]
folder = "pictures"
[detector]
family = "elsewhere"
size_px = 64
head = "ultralytics"
[gates]
map50 = 0.9
latency_p95_ms = 10000
"""


def test_a_declared_network_is_judged_on_the_labels_of_its_pictures(tmp_path: Path):
    pictures(tmp_path / "pictures")
    onnx.save(green_finder(), str(tmp_path / "net.onnx"))
    (tmp_path / "net.toml").write_text(DECLARATION)
    store = Store.open(f"sqlite:///{tmp_path}/store.db", create=True)
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", store, ReleaseStore(str(tmp_path / "releases")))
    result = import_declared(load_declaration(tmp_path / "net.toml"), registry)
    assert result.passed
    assert registry.show("street.imported", result.version).manifest.labels == ("bin",)


def test_every_mistake_of_a_declaration_is_told(tmp_path: Path):
    text = DECLARATION.replace("size_px = 64", "size_px = 65\nspeed = 1").replace('"ultralytics"', '"detr"')
    (tmp_path / "net.toml").write_text(text)
    with pytest.raises(ConfigurationError, match="3 problems") as raised:
        load_declaration(tmp_path / "net.toml")
    assert sorted(problem.where for problem in raised.value.problems) == [
        "detector.head",
        "detector.size_px",
        "detector.speed",
    ]
