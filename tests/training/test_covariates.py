"""Covariates from files: what is known ahead changes the forecast, in training and in batch scoring alike."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from contracts import ConfigurationError, DataError, format_utc
from gpu import open_session
from models.forecasting import build_forecaster, export_onnx
from operations.scoring import Scorer
from store.panels import KnownCovariates, read_static
from training import Dataset, Recipe, fit, parse_recipe, predict_with, roll, score

from .recipes import HOUR_MS, START_MS, series, table

HOURS = 30 * 24


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def closures() -> np.ndarray:
    """A tenth of the hours is closed, in stretches that nothing before announces."""
    random = np.random.default_rng(8)
    return np.repeat(random.random(HOURS // 3) < 0.15, 3).astype(np.float32)


def write_covariates(folder: Path, *, last: int = HOURS) -> None:
    with (folder / "events.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "closure"])
        writer.writerows((format_utc(START_MS + k * HOUR_MS), float(v)) for k, v in enumerate(closures()[:last]))
    (folder / "roads.csv").write_text("sign,lanes\na,2\nb,4000\n")


def closed_recipe(folder: Path) -> Recipe:
    sections = table(
        covariates={
            "known": {"path": "events.csv", "names": ["closure"]},
            "static": {"path": "roads.csv", "names": ["lanes"]},
        },
        disturbance={"threshold": None},
        model={"family": "tide", "options": {}},
        fitting={"epochs": 6, "steps_per_epoch": 60, "batch_size": 64, "learning_rate": 0.02, "seed": 1},
    )
    sections["model"]["options"] = {"width": 8, "season": 24, "prior_seasons": [24], "covariate_width": 8}
    return parse_recipe(sections, "r", folder)


def closed_values(seed: int) -> np.ndarray:
    time = np.arange(HOURS)
    noise = np.random.default_rng(seed).normal(0, 0.5, HOURS)
    return (100 + 5 * np.sin(2 * np.pi * time / 24) + noise - 20 * closures()).astype(np.float32)


def test_what_is_known_ahead_is_learned_and_scored(tmp_path: Path) -> None:
    write_covariates(tmp_path)
    recipe = closed_recipe(tmp_path)
    dataset = Dataset.of(recipe, [series(closed_values(1), "a"), series(closed_values(2), "b")])
    torch.manual_seed(1)
    model = build_forecaster("tide", recipe.spec, recipe.model.options)
    fit(model, dataset.train(64), dataset.validation(), recipe.fitting)
    export_onnx(model, tmp_path / "m.onnx")
    session = open_session(tmp_path / "m.onnx")
    assert score(roll(predict_with(session), dataset.gate(), 24)).pooled["mae_ratio"] < 0.45

    known = KnownCovariates.read(tmp_path / "events.csv", ["closure"], 3600)
    scorer = Scorer("m", 1, recipe.spec, session, known=known, static={"a": (2.0,), "b": (4000.0,)}, usual=(2001.0,))
    batch = dataset.gate().take(np.array([5]))
    _, steps = dataset.gate().positions(np.array([5]))
    origin = np.array([START_MS + (int(steps[0]) - 1) * HOUR_MS])
    given = scorer.forecast(["a"], batch.context.numpy(), origin)
    with torch.no_grad():
        np.testing.assert_allclose(given, model(**batch.inputs).numpy(), rtol=1e-4)
    with pytest.raises(DataError, match="is not known at"):
        scorer.forecast(["a"], batch.context.numpy(), np.array([START_MS + (HOURS - 2) * HOUR_MS]))


def test_gaps_in_covariates_are_named(tmp_path: Path) -> None:
    write_covariates(tmp_path, last=HOURS - 5)
    recipe, values = closed_recipe(tmp_path), closed_values(1)
    with pytest.raises(DataError, match=r"'closure' of 'a' is not known at .* and 4 further"):
        Dataset.of(recipe, [series(values, "a")])
    write_covariates(tmp_path)
    with pytest.raises(DataError, match="such as 'stranger', have no row"):
        Dataset.of(recipe, [series(values, "stranger")])
    with pytest.raises(DataError, match="need rows with time"):
        KnownCovariates.read(tmp_path / "events.csv", ["rain"], 3600)
    (tmp_path / "roads.csv").write_text("sign,lanes\na,many\n")
    with pytest.raises(DataError, match=r"roads\.csv:2"):
        read_static(tmp_path / "roads.csv", ["lanes"])
    with pytest.raises(ConfigurationError, match="totals of a"):
        parse_recipe(table(covariates={"known": {"path": "e", "names": ["x"]}}, hierarchy={"places": "p"}), "r", Path())
