from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from contracts import ForecastSpec, ModelError
from models.forecasting import Forecaster, Options, build_forecaster
from training import Dataset, fit, parse_recipe

from .recipes import TABLE, daily_values, series, table


def neural(seed: int = 3) -> tuple[Dataset, Forecaster]:
    recipe = parse_recipe(
        table(
            model={"family": "nlinear", "options": {}},
            fitting={"epochs": 6, "steps_per_epoch": 20, "batch_size": 32, "learning_rate": 0.005, "seed": seed},
        ),
        "r",
        Path(),
    )
    torch.manual_seed(seed)
    return Dataset.of(recipe, [series(daily_values())]), build_forecaster("nlinear", recipe.spec)


def run(seed: int) -> tuple[list[float], Forecaster]:
    dataset, forecaster = neural(seed)
    epochs = fit(forecaster, dataset.train(32), dataset.validation(), dataset.recipe.fitting)
    return [epoch.validation for epoch in epochs], forecaster


def test_descent_lowers_the_validation_loss_and_keeps_the_best() -> None:
    losses, _ = run(3)
    assert min(losses) < 0.7 * losses[0]


def test_a_seed_repeats_itself() -> None:
    assert run(3)[0] == run(3)[0]
    assert run(3)[0] != run(4)[0]


def test_progress_is_told() -> None:
    dataset, forecaster = neural()
    told: list[float] = []
    fit(
        forecaster,
        dataset.train(32),
        dataset.validation(),
        dataset.recipe.fitting,
        lambda _, share: told.append(share),
    )
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_ridge_beats_yesterday_on_a_noisy_cycle() -> None:
    recipe = parse_recipe(TABLE, "r", Path())
    dataset = Dataset.of(recipe, [series(daily_values())])
    forecaster = build_forecaster("ridge", recipe.spec, recipe.model.options)
    assert fit(forecaster, dataset.train(), dataset.validation(), recipe.fitting) == []
    batch = dataset.gate().take(np.arange(90))
    with torch.no_grad():
        median = forecaster(batch.context)[:, :, recipe.spec.quantiles.index(0.5)]
    error = (median - batch.target).abs().nanmean()
    yesterday = (batch.context[:, 24:30] - batch.target).abs().nanmean()
    assert error < 0.85 * yesterday


def test_a_family_without_a_way_of_fitting_is_refused() -> None:
    class Bare(Forecaster):
        family = "bare"

    recipe = parse_recipe(TABLE, "r", Path())
    dataset = Dataset.of(recipe, [series(daily_values())])
    spec: ForecastSpec = recipe.spec
    with pytest.raises(ModelError, match="'bare' is neither"):
        fit(Bare(spec, Options()), dataset.train(), dataset.validation(), recipe.fitting)
