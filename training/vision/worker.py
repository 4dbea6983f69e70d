"""The process that fits: reads a job, writes a line of progress an epoch, leaves ``core.onnx`` and ``result.json``.

``python -m training.vision.worker JOB.json [--lifeline]``. A process of its own, because ultralytics changes settings,
threads and signals of the process it runs in; killed and started again it goes on from the last epoch.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
from pydantic import BaseModel, ConfigDict, Field

from contracts import FactoryError
from gpu import open_session
from models.vision.ultralytics_adapter import (
    EpochReport,
    FitSettings,
    NetworkTask,
    export_core,
    fit,
    prepare,
    run_network,
)
from registry import relative_error

from .conditions import Weather
from .fitting import LIFELINE
from .recipe import AnyRecipe

PARITY_PICTURES = 4
_ORPHANED = 3


class Job(BaseModel):
    """What the process is asked to do: the recipe, ``data.yaml`` (a folder for a classifier), and where to work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: AnyRecipe = Field(discriminator="task")
    weights: str | None
    data: Path
    folder: Path
    export: bool = True


def work(job: Job) -> None:
    """Fit, export and compare; files in ``job.folder`` are the answer."""
    recipe, folder = job.recipe, job.folder
    task = NetworkTask(recipe.task)
    prepare(folder / "settings")
    progress_file = folder / "progress.jsonl"
    settings = FitSettings(
        task=task,
        architecture=recipe.model.architecture,
        weights=job.weights,
        data=job.data,
        folder=folder,
        size_px=recipe.model.size_px,
        spent_s=spent_before(progress_file),
        budget_s=recipe.fitting.time_budget_s or None,
        overrides={"mosaic": recipe.fitting.mosaic},
        **recipe.fitting.model_dump(exclude={"mosaic", "time_budget_s"}),
    )
    weather = Weather(**recipe.conditions.model_dump(), seed=recipe.fitting.seed)
    with progress_file.open("a", encoding="utf-8") as progress:

        def report(epoch: EpochReport) -> None:
            progress.write(json.dumps(asdict(epoch)) + "\n")
            progress.flush()

        checkpoint = fit(settings, report, augment=weather)
    if job.export:
        _export(checkpoint, recipe.model.size_px, task, folder)


def _export(checkpoint: Path, size_px: int, task: NetworkTask, folder: Path) -> None:
    core = export_core(checkpoint, size_px, task)
    onnx.save(core, str(folder / "core.onnx"))
    pixels = np.random.default_rng(0).random((PARITY_PICTURES, 3, size_px, size_px), np.float32)
    given = open_session(folder / "core.onnx").run({"pixels": pixels})
    expected = run_network(checkpoint, pixels, task)
    parity = max(relative_error(expected[name], given[name]) for name in expected)
    (folder / "result.json").write_text(json.dumps({"parity": parity}))


def spent_before(progress: Path) -> float:
    """Return the seconds that earlier attempts of a fit took, as its lines of progress tell."""
    if not progress.exists():
        return 0.0
    lines = [line for line in progress.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return float(json.loads(lines[-1])["spent_s"]) if lines else 0.0


def _watch_lifeline() -> None:
    """Block until standard input closes, then end this process: two that fit in one folder would spoil it."""
    while os.read(sys.stdin.fileno(), 1):  # not the buffered reader: its lock would be held at the end
        pass
    os._exit(_ORPHANED)


def main() -> int:
    """Run the job named on the command line; errors of ours become one line on standard error."""
    if sys.argv[2:] == [LIFELINE]:
        threading.Thread(target=_watch_lifeline, name="lifeline", daemon=True).start()
    try:
        work(Job.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except FactoryError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
