"""A fit that is killed goes on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.vision.fitting import fit_in_process
from training.vision.forms import read_pictures
from training.vision.recipe import DetectRecipe
from training.vision.worker_job import write_job

from .folders import scene, write_yolo

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_killed_fit_goes_on_from_its_last_epoch(tmp_path: Path):
    pictures = [(scene(seed), [(0, 24.0, 16.0, 56.0, 48.0)]) for seed in range(8)]
    data = read_pictures(write_yolo(tmp_path / "pictures", {"train": pictures[:6], "val": pictures[6:]}, ("bin",)))
    recipe = DetectRecipe.model_validate(
        {
            "name": "street.bins",
            "task": "detect",
            "data": {"folder": "pictures"},
            "model": {"architecture": "yolov5n", "size_px": 64},
            "fitting": {"epochs": 6, "batch": 4},
            "folder": tmp_path,
        }
    )
    work = tmp_path / "work"
    work.mkdir()
    command = [sys.executable, "-W", "ignore", "-m", "training.vision.worker", str(write_job(recipe, data, work))]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    checkpoint = work / "run" / "weights" / "last.pt"
    try:
        while process.poll() is None and not (checkpoint.exists() and epochs(work)[-1:] >= [2]):
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = epochs(work)
    assert 2 <= done[-1] < 6
    fitted = fit_in_process(recipe, data, work, on_epoch=lambda _entry: None)
    numbers = [entry["epoch"] for entry in fitted.epochs]
    assert numbers[len(done)] in (done[-1], done[-1] + 1)
    assert numbers[-1] == 6
    assert fitted.core.is_file()


def epochs(work: Path) -> list[int]:
    path = work / "progress.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line)["epoch"] for line in lines if line.endswith("\n")]
