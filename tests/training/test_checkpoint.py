"""A fit that was killed goes on from its last epoch and ends the same."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from contracts import format_utc
from models.forecasting import build_forecaster
from training import Checkpoint, Dataset, fit, parse_recipe

from .recipes import HOUR_MS, START_MS, daily_values, series, table

FITTING = {"epochs": 6, "steps_per_epoch": 10, "batch_size": 16, "learning_rate": 0.005, "patience": 8, "seed": 1}
TABLE = table(model={"family": "nlinear", "options": {}}, fitting=FITTING)

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}  # batches are too small to share on a busy machine

SCRIPT = """
import json, os, signal, sys
from pathlib import Path
from registry import Registry
from store import ReleaseStore, Store
from training import parse_recipe, train
folder, die_at = Path(sys.argv[1]), float(sys.argv[3])
recipe = parse_recipe(json.loads(sys.argv[2]), "r", folder)
def report(stage, share):
    print(stage, share, flush=True)
    if stage == "fitting" and share >= die_at:
        os.kill(os.getpid(), signal.SIGKILL)
with Store.open(f"sqlite:///{folder / 'store.db'}") as store:
    registry = Registry(f"sqlite:///{folder / 'mlflow.db'}", store, ReleaseStore(folder / "releases"))
    result = train(recipe, registry, folder=folder / "fits", progress=report)
kept = ("mae", "rmse", "pinball", "coverage_90")
print(json.dumps({name: result.figures[name] for name in kept}), flush=True)
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class KilledError(Exception):
    """The process died here."""


def test_a_fit_goes_on_from_its_last_epoch(tmp_path: Path) -> None:
    recipe = parse_recipe(TABLE, "r", Path())
    dataset = Dataset.of(recipe, [series(daily_values())])

    def fitted(checkpoint: Checkpoint | None, die_after: int | None = None) -> list[float]:
        torch.manual_seed(5)
        model = build_forecaster("nlinear", recipe.spec)

        def report(_: str, share: float) -> None:
            if die_after is not None and round(share * FITTING["epochs"]) == die_after:
                message = f"after epoch {die_after}"
                raise KilledError(message)

        epochs = fit(model, dataset.train(16), dataset.validation(), recipe.fitting, report, checkpoint=checkpoint)
        return [epoch.validation for epoch in epochs] + [float(model.map.weight.detach().abs().sum())]

    kept = Checkpoint(tmp_path / "fit")
    with pytest.raises(KilledError, match="after epoch 3"):
        fitted(kept, die_after=3)
    assert fitted(kept) == fitted(None)
    kept.remove()
    assert not kept.folder.exists()


@pytest.mark.slow
def test_kill_9_in_training_changes_no_figure(tmp_path: Path) -> None:
    """The process kills itself after an epoch: a killer outside would race a fit that may end before it strikes."""
    finals = []
    for name in ("calm", "rough"):
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "flow.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["time", "value"])
            writer.writerows((format_utc(START_MS + k * HOUR_MS), v) for k, v in enumerate(daily_values().tolist()))
        if name == "rough":
            killed = train_apart(folder, die_at=0.5)
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            assert killed.stdout.splitlines()[-1] == "fitting 0.5"
            assert len(list((folder / "fits").glob("*/fit/checkpoint.npz"))) == 1
        done = train_apart(folder)
        assert done.returncode == 0, done.stderr
        told = done.stdout.splitlines()
        fitted = [float(line.split()[1]) for line in told if line.startswith("fitting")]
        assert min(fitted) > 0.5 if name == "rough" else min(fitted) < 0.5
        finals.append(json.loads(told[-1]))
        assert list((folder / "fits").glob("*")) == []
    assert finals[0] == finals[1]


def train_apart(folder: Path, *, die_at: float = 2.0) -> subprocess.CompletedProcess[str]:
    """Train in a process of its own, which dies by SIGKILL once that share of the epochs is kept; 2.0 is never."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), json.dumps(TABLE), str(die_at)]
    return subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, check=False, timeout=250)
