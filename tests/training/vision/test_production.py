"""The whole line on a few small pictures: real ultralytics, real MLflow on SQLite, real onnxruntime."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image, ImageDraw

from contracts import ConfigurationError, ModelError, PromotionError, Task
from gpu import open_session
from models.vision import MASK_PX, DetectorSpec, Head
from models.vision.graph import FLOAT, GraphWriter
from registry import Registry
from store import ReleaseStore, Store
from training.vision.accuracy import Accuracy
from training.vision.dataset import Split
from training.vision.evidence import Evidence, judge_detector
from training.vision.production import import_detector, train_detector
from training.vision.recipe import GatesSection, load_detect_recipe, load_vision_recipe

from .folders import scene, write_yolo

RECIPE = """
name = "street.bins"
task = "detect"
[data]
folder = "pictures"
[model]
architecture = "yolov5n"
size_px = 64
[fitting]
epochs = 1
batch = 4
[conditions]
night = 0.5
rain = 0.5
blur = 0.5
[gates]
map50 = {map50}
parity = 0.01
latency_p95_ms = 10000
"""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    store = Store.open(f"sqlite:///{tmp_path}/store.db", create=True)
    return Registry(f"sqlite:///{tmp_path}/mlflow.db", store, ReleaseStore(str(tmp_path / "releases")))


def pictures(folder: Path) -> Path:
    def draw(seed: int):
        picture = scene(seed)
        ImageDraw.Draw(picture).rectangle((24, 16, 56, 48), fill=(0, 160, 40))
        return picture, [(0, 24.0, 16.0, 56.0, 48.0)]

    splits = {"train": [draw(seed) for seed in range(6)], "val": [draw(20), (scene(21), [])], "val_night": [draw(30)]}
    return write_yolo(folder, splits, ("bin",))


def recipe(tmp_path: Path, text: str = RECIPE, map50: float = 0.0):
    (tmp_path / "recipe.toml").write_text(text.format(map50=map50))
    return load_detect_recipe(tmp_path / "recipe.toml")


@pytest.mark.slow
def test_a_folder_of_pictures_becomes_a_judged_detector(tmp_path: Path, registry: Registry):
    pictures(tmp_path / "pictures")
    stages: list[str] = []
    made = recipe(tmp_path, map50=0.99)
    result = train_detector(made, registry, tmp_path / "work", progress=lambda what, _share: stages.append(what))
    assert not result.passed
    gates = {gate.name: gate for gate in result.gates}
    assert {"map50", "slice.val.night", "parity", "latency", "leakage"} <= set(gates)
    assert gates["parity"].passed
    assert gates["leakage"].passed
    kept = {path.name for path in (tmp_path / "mlartifacts").rglob("*.*")}
    assert {
        "curves.png",
        "confusion.png",
        "precision_recall.png",
        "slices.png",
        "pictures_val_plain.png",
        "pictures_val_night.png",
        "accuracy.json",
        "inspection.json",
        "model_card.md",
    } <= kept
    with pytest.raises(PromotionError, match="map50"):
        registry.promote("street.bins", result.version, "tester")
    manifest = registry.show("street.bins", result.version).manifest
    assert (manifest.task, manifest.labels) == (Task.DETECT, ("bin",))
    assert "fitting" in stages
    assert train_detector(made, registry, tmp_path / "work").reused


def test_data_that_cannot_be_used_is_refused_before_anything_is_tracked(tmp_path: Path, registry: Registry):
    folder = pictures(tmp_path / "pictures")
    (folder / "labels/val/val0.txt").write_text("7 0.5 0.5 0.2 0.2")
    with pytest.raises(ConfigurationError, match="has the class 7"):
        train_detector(recipe(tmp_path), registry, tmp_path / "work")
    assert registry.models() == []


@pytest.mark.slow
def test_missing_weights_end_the_run_with_the_reason(tmp_path: Path, registry: Registry):
    pictures(tmp_path / "pictures")
    text = RECIPE.replace("size_px", 'weights = "nowhere.pt"\nsize_px')
    with pytest.raises(ModelError, match=r"nowhere\.pt' do not exist as a file, and cannot be fetched"):
        train_detector(recipe(tmp_path, text), registry, tmp_path / "work")


def green_finder() -> onnx.ModelProto:
    """A network that always answers with the drawn bin's box (centre 40, 32 of 96x64, in 64 px letterbox)."""
    graph = GraphWriter("net", 18)
    pixels = graph.add_input("in", FLOAT, ["batch", 3, 64, 64])
    first = graph.apply("Reshape", graph.slice(pixels, 0, 1, 1), graph.constant([0, -1], np.int64))
    zero = graph.apply("Mul", graph.slice(first, 0, 1, 1), graph.constant(0.0))
    raw = np.array([[40, 32, 32, 32, 0.9]], np.float32).T * np.array([[64 / 96], [1], [64 / 96], [64 / 96], [1]])
    shaped = graph.apply("Reshape", zero, graph.constant([-1, 1, 1], np.int64))
    graph.apply("Add", shaped, graph.constant(raw[None]), to="out")
    graph.add_output("out", FLOAT, ["batch", 5, 1])
    return graph.finish(8)


def test_a_network_from_elsewhere_is_judged_like_our_own(tmp_path: Path, registry: Registry):
    folder = pictures(tmp_path / "pictures")
    onnx.save(green_finder(), str(tmp_path / "net.onnx"))
    spec = DetectorSpec(family="elsewhere", labels=("bin",), size_px=64, head=Head.ULTRALYTICS)
    gates = GatesSection(map50=0.9, latency_p95_ms=10_000)
    result = import_detector("street.imported", spec, tmp_path / "net.onnx", folder, registry, gates=gates)
    assert result.passed
    assert result.figures["val.plain.map50"] == pytest.approx(1)
    entry = registry.promote("street.imported", result.version, "tester")
    assert entry.manifest.labels == ("bin",)


def accuracy(map50: float) -> Accuracy:
    return Accuracy(map50 / 2, map50, 0.5, (map50,), 10, 20)


def test_a_slice_far_below_the_plain_pictures_blocks():
    measured = {
        (Split.VALIDATION, ""): accuracy(0.5),
        (Split.TEST, ""): accuracy(0.5),
        (Split.TEST, "rain"): accuracy(0.4),
        (Split.TEST, "night"): accuracy(0.2),
    }
    verdict = {gate.name: gate for gate in judge_detector(Evidence(measured, None, 5.0), GatesSection())}
    assert verdict["slice.test.rain"].passed
    assert not verdict["slice.test.night"].passed
    assert verdict["slice.test.night"].value == pytest.approx(0.6)


def test_nothing_passes_that_was_not_measured():
    verdict = judge_detector(Evidence({}, None, float("nan")), GatesSection())
    assert [gate.passed for gate in verdict] == [False, False]


def test_every_mistake_of_a_recipe_is_told(tmp_path: Path):
    text = RECIPE.replace("size_px = 64", "size_px = 65").replace("epochs = 1", "epochs = 0\nspeed = 3")
    with pytest.raises(ConfigurationError, match="4 problems") as raised:
        recipe(tmp_path, text.replace("night = 0.5", "night = 2"))
    assert [p.where for p in raised.value.problems] == [
        "model.size_px",
        "conditions.night",
        "fitting.epochs",
        "fitting.speed",
    ]


def test_pictures_without_a_description_are_refused(tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "a.png")
    made = recipe(tmp_path)
    with pytest.raises(ConfigurationError, match=r"neither data\.yaml"):
        train_detector(made, None, tmp_path)  # type: ignore[arg-type]


@pytest.mark.slow
def test_outlines_become_a_judged_segmenter(tmp_path: Path, registry: Registry):
    folder = pictures(tmp_path / "pictures")
    for label in folder.glob("labels/*/*.txt"):
        if label.read_text():
            label.write_text("0 0.25 0.25 0.6 0.25 0.6 0.75 0.25 0.75")
    text = RECIPE.replace('"detect"', '"segment"').replace("yolov5n", "yolo11n").format(map50=0.0)
    (tmp_path / "recipe.toml").write_text(text)
    result = train_detector(load_vision_recipe(tmp_path / "recipe.toml"), registry, tmp_path / "work")
    gates = {gate.name: gate for gate in result.gates}
    assert gates["parity"].passed
    assert {"val.plain.map50", "val.plain.box_map50", "val.night.map50"} <= set(result.figures)
    manifest = registry.show(result.name, result.version).manifest
    assert manifest.task is Task.SEGMENT
    session = open_session(ReleaseStore(str(tmp_path / "releases")).path(manifest.sha256))
    answer = session.run({"image": np.zeros((48, 96, 3), np.uint8)})
    assert answer["masks"].shape == (len(answer["boxes"]), MASK_PX, MASK_PX)
