"""A search on a few small pictures: real fits, every trial a run below the search's."""

from pathlib import Path

import mlflow
import pytest

from registry import Registry
from store import ReleaseStore, Store
from training.vision import tune_detector

from .test_production import pictures, recipe


@pytest.mark.slow
def test_a_search_keeps_its_trials_and_registers_nothing(tmp_path: Path):
    pictures(tmp_path / "pictures")
    store = Store.open(f"sqlite:///{tmp_path}/store.db", create=True)
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    registry = Registry(tracking, store, ReleaseStore(str(tmp_path / "releases")))
    made = recipe(tmp_path)
    result = tune_detector(made, registry, tmp_path / "work", budget_s=600, trials=2)
    assert [trial.state for trial in result.trials] == ["complete", "complete"]
    own = made.fitting
    first = {"learning_rate": own.learning_rate, "batch": own.batch, "mosaic": own.mosaic}
    assert result.trials[0].settings == first
    assert result.trials[1].settings != first
    assert result.map50 == max(trial.map50 or 0 for trial in result.trials)
    assert registry.models() == []
    client = mlflow.MlflowClient(tracking)
    parents = {client.get_run(trial.run_id).data.tags["mlflow.parentRunId"] for trial in result.trials}
    assert parents == {result.run_id}
    assert client.get_run(result.run_id).data.metrics["trials"] == 2
