from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np
import pytest

from contracts import format_utc
from gpu import open_session
from registry import Registry
from store import ReleaseStore, Store
from training import Recipe, TrainingResult, evaluate_report, parse_recipe, train

from .recipes import HOUR_MS, START_MS, daily_values, table

pytestmark = pytest.mark.filterwarnings("ignore:.*type hint is inferred as AnyType.*:UserWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("training")
    with (made / "flow.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "value"])
        for hour, value in enumerate(daily_values()):
            writer.writerow([format_utc(START_MS + hour * HOUR_MS), f"{value:.3f}"])
    return made


@pytest.fixture(scope="module")
def registry(folder: Path) -> Registry:
    store = Store.open(f"sqlite:///{folder / 'store.db'}", create=True)
    releases = ReleaseStore(str(folder / "releases"))
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", store, releases, artifact_root=folder / "artifacts")


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Recipe:
    return parse_recipe(table(), "The recipe", folder)


@pytest.fixture(scope="module")
def result(recipe: Recipe, registry: Registry) -> TrainingResult:
    return train(recipe, registry)


def test_a_good_candidate_passes_every_gate(result: TrainingResult) -> None:
    assert result.passed, result.gates
    assert {gate.name for gate in result.gates} >= {"better_than_baselines", "parity", "latency", "interval_coverage"}
    assert result.figures["mae"] < result.figures["mae_seasonal_naive"]
    assert not result.reused


def test_the_same_data_and_recipe_are_reused(result: TrainingResult, recipe: Recipe, registry: Registry) -> None:
    again = train(recipe, registry)
    assert again.reused
    assert again.version == result.version


def test_a_changed_recipe_is_trained_and_a_failing_one_rejected(
    result: TrainingResult, folder: Path, registry: Registry
) -> None:
    strict = parse_recipe(table(gates={"mae_ratio": 0.01}), "The recipe", folder)
    rejected = train(strict, registry)
    assert not rejected.reused
    assert not rejected.passed
    assert registry.version(rejected.name, rejected.version).status == "rejected"


def test_what_is_released_is_what_was_judged(
    result: TrainingResult, recipe: Recipe, registry: Registry, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = registry.promote(result.name, result.version, "tester")
    session = open_session(ReleaseStore(str(folder / "releases")).path(entry.manifest.sha256))
    with caplog.at_level(logging.INFO, logger="training"):
        figures = evaluate_report(recipe, session)
    assert "report window of test.flow was opened" in caplog.text
    assert figures["mae_ratio"] < 0.95
    assert 0.75 < figures["coverage_90"] <= 1
    context = np.full((1, recipe.spec.context), np.nan, dtype=np.float32)
    context[0, -30:] = 100.0
    assert np.isfinite(session.run({"context": context})["quantiles"]).all()
