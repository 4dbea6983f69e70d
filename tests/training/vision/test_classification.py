"""The whole line of a classifier on small pictures, and how it is judged."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts import ConfigurationError, Task
from gpu import open_session
from registry import Registry
from store import ReleaseStore, Store
from training.vision import Form, Split, load_vision_recipe, read_pictures, train_classifier
from training.vision.classification import Answers, judge_classifier
from training.vision.recipe import ClassifyGatesSection

from .folders import scene

RECIPE = """
name = "street.surface"
task = "classify"
[data]
folder = "pictures"
[model]
architecture = "yolo11n"
size_px = 64
[fitting]
epochs = 1
batch = 4
[conditions]
night = 0.5
[gates]
top1 = 0.0
parity = 0.01
latency_p95_ms = 10000
"""


def write_classes(root: Path) -> Path:
    seed = 0
    for split, count in (("train", 4), ("val", 2), ("val_night", 1)):
        for label, colour in (("dry", (200, 160, 40)), ("wet", (20, 60, 200))):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                seed += 1
                tinted = Image.blend(scene(seed), Image.new("RGB", (96, 64), colour), 0.5)
                tinted.save(folder / f"{number}.png")
    return root


def test_folders_are_read_as_classes(tmp_path: Path):
    data = read_pictures(write_classes(tmp_path))
    assert data.labels == ("dry", "wet")
    assert [int(picture.classes[0]) for picture in data.of(Split.VALIDATION, "")] == [0, 0, 1, 1]
    assert data.slices(Split.VALIDATION) == ["", "night"]


def test_a_picture_outside_of_a_class_is_told(tmp_path: Path):
    scene(1).save(write_classes(tmp_path) / "train" / "stray.png")
    data = read_pictures(tmp_path, Form.FOLDERS)
    assert [str(problem) for problem in data.problems if "stray.png" in str(problem)]


def test_one_class_is_refused(tmp_path: Path):
    (tmp_path / "train" / "dry").mkdir(parents=True)
    scene(1).save(tmp_path / "train" / "dry" / "a.png")
    with pytest.raises(ConfigurationError, match="names 1 classes"):
        read_pictures(tmp_path)


def test_a_task_that_is_not_there_is_told(tmp_path: Path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace('"classify"', '"pose"'))
    with pytest.raises(ConfigurationError, match="'pose' is not supported"):
        load_vision_recipe(tmp_path / "recipe.toml")


def test_figures_of_answers():
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]], np.float32)
    answers = Answers((), np.array([0, 0, 1, 1]), scores)
    assert (answers.top1, answers.top5) == (0.5, 1.0)
    assert answers.recall().tolist() == [0.5, 0.5]


def test_a_condition_far_below_the_plain_pictures_blocks():
    top1 = {(Split.VALIDATION, ""): 0.9, (Split.TEST, ""): 0.9, (Split.TEST, "night"): 0.5}
    verdict = {gate.name: gate for gate in judge_classifier(top1, ClassifyGatesSection(), parity=0, latency_p95_ms=1)}
    assert verdict["top1"].passed
    assert not verdict["slice.test.night"].passed


@pytest.mark.slow
def test_folders_become_a_judged_classifier(tmp_path: Path):
    write_classes(tmp_path / "pictures")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    store = Store.open(f"sqlite:///{tmp_path}/store.db", create=True)
    releases = ReleaseStore(str(tmp_path / "releases"))
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", store, releases)
    result = train_classifier(load_vision_recipe(tmp_path / "recipe.toml"), registry, tmp_path / "work")
    gates = {gate.name: gate for gate in result.gates}
    assert {"top1", "slice.val.night", "parity", "latency", "leakage"} == set(gates)
    assert gates["parity"].passed
    manifest = registry.show("street.surface", result.version).manifest
    assert (manifest.task, manifest.labels) == (Task.CLASSIFY, ("dry", "wet"))
    session = open_session(releases.path(manifest.sha256))
    for size in ((40, 30), (300, 200)):
        scores = session.run({"image": np.asarray(scene(99).resize(size))})["scores"]
        assert scores.shape == (2,)
        assert scores.sum() == pytest.approx(1, abs=1e-4)
    kept = {path.name for path in (tmp_path / "mlartifacts").rglob("*.png")}
    assert kept == {"curves.png", "confusion.png", "pictures_val_plain.png"}
