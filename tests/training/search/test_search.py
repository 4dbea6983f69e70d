"""A search chooses on the validation window alone, within its budget, and goes on after it was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from contracts import ConfigurationError, ModelError
from models.forecasting import option_problems
from registry import Registry
from store import ReleaseStore, Store
from tests.training.recipes import daily_values, series, table
from training import Dataset, Recipe, parse_recipe, train
from training.auto import SEARCHED
from training.search import SPACES, search_recipe

OPTIONS = {"budget_s": 60, "trials": 3, "families": ["seasonal_naive", "ridge"], "season": 24}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}", durable=False) as store:
        yield Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", store, ReleaseStore(str(tmp_path / "releases")))


def auto(**options: object) -> Recipe:
    made = table(fitting={"epochs": 2, "steps_per_epoch": 5, "batch_size": 16})
    made["model"] = {"family": "auto", "options": {**OPTIONS, **options}}
    return parse_recipe(made, "r", Path())


def test_a_killed_search_goes_on_and_chooses_by_validation_alone(registry: Registry, tmp_path: Path) -> None:
    values = daily_values()
    values[19 * 24 :] = np.random.default_rng(0).normal(0, 50, len(values) - 19 * 24)  # gate and report: chaos
    recipe = auto()
    dataset = Dataset.of(recipe, [series(values)])

    def die(doing: str, _: float) -> None:
        if doing.startswith("trial 3"):
            message = "killed here"
            raise KeyboardInterrupt(message)

    with registry.run("test", "search", parameters={}) as run:
        with pytest.raises(KeyboardInterrupt, match="killed here"):
            search_recipe(dataset, registry, run, tmp_path / "search", die)
        told: list[str] = []
        found = search_recipe(dataset, registry, run, tmp_path / "search", lambda doing, _: told.append(doing))
    assert told[0].startswith("trial 3")
    assert found.trials == 3
    assert found.recipe.model.family == "ridge"
    assert found.best_by_family["ridge"] == found.loss < found.best_by_family["seasonal_naive"]
    other = values.copy()
    other[20 * 24 :] = 100
    with registry.run("test", "search", parameters={}) as run:
        again = search_recipe(Dataset.of(recipe, [series(other)]), registry, run, tmp_path / "other")
    assert (again.recipe, again.loss) == (found.recipe, found.loss)


@pytest.mark.slow
def test_what_was_found_is_trained_judged_and_registered_like_any_model(registry: Registry, tmp_path: Path) -> None:
    rows = "\n".join(
        f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z,{value}" for hour, value in enumerate(daily_values())
    )
    (tmp_path / "flow.csv").write_text(f"time,value\n{rows}\n", encoding="utf-8")
    recipe = auto(trials=2).model_copy(update={"folder": tmp_path})
    result = train(recipe, registry, folder=tmp_path / "fits")
    card = registry.show(result.name, result.version)
    assert card.manifest.metadata["family"] == "ridge"
    assert card.metrics["search.trials"] == 2
    client = registry._tracking.client
    experiment = client.get_experiment_by_name(recipe.name)
    runs = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{result.run_id}'")
    assert sorted(run.data.tags["family"] for run in runs) == ["ridge", "seasonal_naive"]
    assert all(run.data.metrics["validation_loss"] > 0 for run in runs)
    assert list((tmp_path / "fits").iterdir()) == []
    assert train(recipe, registry, folder=tmp_path / "fits").reused


def test_a_budget_that_nothing_fits_into_is_said(registry: Registry, tmp_path: Path) -> None:
    recipe = auto(budget_s=1e-6, families=["nlinear"], trials=None)
    with registry.run("test", "search", parameters={}) as run, pytest.raises(ModelError, match="None of 1 trials"):
        search_recipe(Dataset.of(recipe, [series(daily_values())]), registry, run, tmp_path / "search")


def test_mistakes_are_reported_with_the_recipe() -> None:
    with pytest.raises(ConfigurationError, match="'prophet' cannot be searched"):
        auto(families=["prophet"])
    with pytest.raises(ConfigurationError, match="Options of 'auto'"):
        auto(budget=3)


@pytest.mark.parametrize("family", SEARCHED)
def test_every_space_proposes_options_that_its_family_takes(family: str) -> None:
    assert set(SPACES) == set(SEARCHED)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for season in (24, None):
        options = SPACES[family](study.ask(), auto().spec, season)
        assert option_problems(family, options) == []
