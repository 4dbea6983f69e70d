"""A fit that was killed goes on from its last epoch and ends the same."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
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
import json, sys
from pathlib import Path
from registry import Registry
from store import ReleaseStore, Store
from training import parse_recipe, train
folder = Path(sys.argv[1])
recipe = parse_recipe(json.loads(sys.argv[2]), "r", folder)
def report(stage, share):
    print(stage, share, flush=True)
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
    finals = []
    fitting = {**FITTING, "steps_per_epoch": 30}
    for name in ("calm", "rough"):
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "flow.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["time", "value"])
            writer.writerows((format_utc(START_MS + k * HOUR_MS), v) for k, v in enumerate(daily_values().tolist()))
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), json.dumps({**TABLE, "fitting": fitting})]
        if name == "rough":
            kill_after_an_epoch(command, folder / "fits")
        done = subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, check=True, timeout=250)
        lines = done.stdout.splitlines()
        assert any(line.startswith("fitting") for line in lines)
        finals.append(json.loads(lines[-1]))
        assert list((folder / "fits").glob("*")) == []
    assert finals[0] == finals[1]


def kill_after_an_epoch(command: list[str], fits: Path) -> None:
    """Start training and send SIGKILL as soon as it has kept an epoch."""
    process = subprocess.Popen(command, env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(fits.glob("*/checkpoint.npz")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(fits.glob("*/checkpoint.npz"))
