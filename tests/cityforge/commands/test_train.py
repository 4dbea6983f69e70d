"""From a recipe to a champion and back, through the commands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cityforge.packs import SCENARIOS
from serving.engine import open_release
from serving.inference_log import InferenceLog
from serving.metrics import Metrics
from serving.settings import InferenceLogSettings
from store import ReleaseStore
from tests.cityforge.conftest import Command
from tests.training.vision.folders import scene, write_yolo

PACK = SCENARIOS / "construction" / "water_main"
NAME = "water_main.flow"


@pytest.fixture
def pack(project: Path) -> Path:
    shutil.copytree(PACK, project / "pack")
    for recipe in (project / "pack" / "recipes").glob("*.toml"):
        if recipe.name != "seasonal_naive.toml":
            recipe.unlink()
    (project / "cityforge.toml").write_text('packs = ["pack"]\n')
    return project / "pack"


def change(recipe: Path, **replacements: str) -> Path:
    text = recipe.read_text(encoding="utf-8")
    for key, value in replacements.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count, key
    recipe.write_text(text, encoding="utf-8")
    return recipe


def damage(releases: Path, sha256: str) -> None:
    graph = releases / sha256 / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-100] + bytes(100))


@pytest.fixture
def recipe(pack: Path) -> Path:
    return change(pack / "recipes" / "seasonal_naive.toml", mae_ratio="3.0", coverage="[0.0, 1.0]")


@pytest.mark.slow
def test_a_version_is_trained_promoted_replaced_and_rolled_back(cityforge: Command, recipe: Path) -> None:
    trained = cityforge("train", "--promote", "--json")
    assert trained.code == 0, trained.err
    (result,) = trained.data["results"]
    assert (result["name"], result["version"], result["passed"], result["reused"]) == (NAME, 1, True, False)
    assert trained.data["promoted"] == [NAME]
    assert {gate["name"] for gate in result["gates"]} >= {"better_than_baselines", "parity", "latency"}

    again = cityforge("train", "--json")
    assert again.data["results"][0]["reused"]

    change(recipe, minimum_observed="23")
    assert cityforge("train", "--json").data["results"][0]["version"] == 2
    promoted = cityforge("promote", NAME, "--reason", "takes shorter contexts", "--json")
    assert promoted.data["entry"]["manifest"]["version"] == 2
    assert promoted.data["entry"]["reason"] == "takes shorter contexts"

    listed = cityforge("models", "--json").data
    assert [(one["name"], one["champion"], one["latest"]) for one in listed["models"]] == [(NAME, 2, 2)]
    assert listed["covered"] == {NAME: NAME}
    assert listed["uncovered"] == []

    back = cityforge("rollback", NAME, "--reason", "a trial", "--json")
    assert (back.data["entry"]["action"], back.data["entry"]["manifest"]["version"]) == ("rollback", 1)

    assert cityforge("reconcile", "--json").data["drifts"] == []
    tracking = MlflowClient(f"sqlite:///{recipe.parents[2] / '.cityforge' / 'mlflow.db'}")
    tracking.set_registered_model_alias(NAME, "champion", "2")
    moved = cityforge("reconcile", "--json")
    assert moved.code == 3
    assert [(one["expected"], one["found"], one["repaired"]) for one in moved.data["drifts"]] == [(1, 2, True)]
    assert int(tracking.get_model_version_by_alias(NAME, "champion").version) == 1

    card = cityforge("show", NAME, "--json").data
    assert {one["version"]: one["status"] for one in card["versions"]} == {1: "champion", 2: "candidate"}
    assert [entry["action"] for entry in card["card"]["history"]][-1] == "rollback"
    assert cityforge("doctor", "--json").code == 0
    log_a_request(recipe.parents[2] / ".cityforge", card["card"]["manifest"]["sha256"])
    assert [one["requests"] for one in cityforge("log", "show", "--json").data["models"]] == [1]
    replayed = cityforge("log", "replay", NAME, "--version", "2", "--json").data
    assert (replayed["asked"], replayed["failed"], replayed["answered_by"]) == (1, 0, {"1": 1})
    assert "differs by" in cityforge("log", "replay", NAME, "--version", "2").out
    nothing = cityforge("log", "replay", NAME, "--version", "2", "--until", "2020-01-01T00:00:00Z")
    assert "holds no request" in nothing.err
    damage(recipe.parents[2] / ".cityforge" / "releases", card["card"]["manifest"]["sha256"])
    found = cityforge("doctor", "--json")
    assert found.code == 3
    assert [check["name"] for check in found.data["checks"] if not check["fine"]] == ["models"]
    for words in ("better_than_baselines", "rollback", "a trial", "sha256"):
        assert words in cityforge("show", NAME).out
    assert NAME in cityforge("models").out


def log_a_request(home: Path, sha256: str) -> None:
    """Log the golden inputs with version 1's answer, as serving would."""
    releases = ReleaseStore(home / "releases")
    model = open_release(releases, releases.manifest(sha256, NAME, 1))
    golden = releases.golden(model.manifest)
    assert golden is not None
    inputs = {name.removeprefix("inputs/"): array for name, array in golden.items() if name.startswith("inputs/")}
    log = InferenceLog(InferenceLogSettings(folder=home / "inference-log", share=1.0), Metrics())
    log.offer(model, inputs, model.run(inputs), 0.001)
    log.close()


def test_a_version_that_fails_a_gate_needs_a_reason(cityforge: Command, recipe: Path) -> None:
    change(recipe, mae_ratio="0.01")
    trained = cityforge("train", "--promote", "--json")
    assert trained.code == 3
    assert trained.data["promoted"] == []
    assert "rejected, because a gate did not pass: water_main.flow" in trained.err

    refused = cityforge("promote", NAME)
    assert refused.code == 1
    assert "better_than_baselines" in refused.err

    forced = cityforge("promote", NAME, "--override", "the gate window was disturbed", "--json")
    assert forced.code == 0, forced.err
    assert (forced.data["entry"]["action"], forced.data["entry"]["reason"]) == (
        "override",
        "the gate window was disturbed",
    )


def test_five_mistakes_in_a_recipe_are_reported_at_once(cityforge: Command, recipe: Path) -> None:
    change(recipe, family='"oracle"', context="0", horizon='"six"', parity="-0.5", latency_p95_ms="-1")
    outcome = cityforge("train", recipe, "--json")
    assert outcome.code == 2
    wheres = {problem["where"].partition(": ")[2] for problem in outcome.data["error"]["problems"]}
    assert {"forecast.context", "forecast.horizon", "gates.latency_p95_ms"} <= wheres
    text = outcome.err
    for given in ("'oracle'", "'six'", "'-1'", "'-0.5'", "'0'"):
        assert given in text, text
    assert len(wheres) == 5, text


def test_data_shorter_than_the_context_is_said(cityforge: Command, recipe: Path) -> None:
    change(recipe, context="1300", minimum_observed="1300")
    outcome = cityforge("train", recipe)
    assert outcome.code == 1
    assert "DataError" in outcome.err
    assert "Widen it." in outcome.err


def test_a_recipe_that_is_not_there_is_named(cityforge: Command, project: Path) -> None:
    outcome = cityforge("train", "recipes/none.toml")
    assert outcome.code == 2
    assert "none.toml" in outcome.err


def test_without_recipe_and_pack_the_remedy_is_said(cityforge: Command, project: Path) -> None:
    outcome = cityforge("train")
    assert outcome.code == 2
    assert "Name a recipe file or a pack." in outcome.err


@pytest.mark.parametrize("command", [["promote", "ghost"], ["rollback", "ghost", "--reason", "x"], ["show", "ghost"]])
def test_an_unknown_model_is_refused_in_one_line(cityforge: Command, project: Path, command: list[str]) -> None:
    outcome = cityforge(*command)
    assert outcome.code == 1
    assert "ghost" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_detector_is_trained_by_the_same_command(cityforge: Command, project: Path) -> None:
    pictures = [(scene(seed), [(0, 24.0, 16.0, 56.0, 48.0)]) for seed in range(10)]
    write_yolo(project / "pictures", {"train": pictures[:7], "val": pictures[7:]}, ("bin",))
    recipe = project / "bins.toml"
    recipe.write_text(
        'name = "street.bins"\ntask = "detect"\n[data]\nfolder = "pictures"\n'
        '[model]\narchitecture = "yolov5n"\nsize_px = 64\n[fitting]\nepochs = 1\nbatch = 4\n'
    )
    done = cityforge("train", recipe, "--json")
    assert done.code in (0, 3), done.err
    (result,) = done.data["results"]
    assert result["name"] == "street.bins"
    assert {gate["name"] for gate in result["gates"]} >= {"parity"}
