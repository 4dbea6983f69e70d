"""A fit whose whole command is killed ends, and goes on when it is asked for again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from training.vision.fitting import fit_in_process
from training.vision.forms import read_pictures
from training.vision.recipe import DetectRecipe, load_detect_recipe

from .folders import scene, write_yolo

ROOT = Path(__file__).parents[3]
PATIENCE_S = 120
RECIPE = """
name = "street.bins"
task = "detect"
data = { folder = "pictures" }
model = { architecture = "yolov5n", size_px = 64 }
fitting = { epochs = 6, batch = 4 }
"""
COMMAND = """
import sys
from pathlib import Path
from training.vision.fitting import fit_in_process
from training.vision.forms import read_pictures
from training.vision.recipe import load_detect_recipe
folder = Path(sys.argv[1])
fit_in_process(load_detect_recipe(folder / "recipe.toml"), read_pictures(folder / "pictures"), folder / "work", print)
"""


@pytest.mark.slow
def test_a_killed_fit_leaves_no_orphan_and_goes_on_from_its_last_epoch(tmp_path: Path):
    recipe = lay_out(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", COMMAND, str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: epochs(work)[-1:] >= [2] or process.poll() is not None)
        (worker,) = psutil.Process(process.pid).children()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    done = epochs(work)
    assert 2 <= done[-1] < 6
    fitted = fit_in_process(recipe, read_pictures(tmp_path / "pictures"), work, on_epoch=lambda _entry: None)
    numbers = [entry["epoch"] for entry in fitted.epochs]
    assert numbers[len(done)] in (done[-1], done[-1] + 1)
    assert numbers[-1] == 6
    assert fitted.core.is_file()
    assert not list(work.rglob("*.new"))


def lay_out(folder: Path) -> DetectRecipe:
    pictures = [(scene(seed), [(0, 24.0, 16.0, 56.0, 48.0)]) for seed in range(8)]
    write_yolo(folder / "pictures", {"train": pictures[:6], "val": pictures[6:]}, ("bin",))
    (folder / "recipe.toml").write_text(RECIPE)
    return load_detect_recipe(folder / "recipe.toml")


def eventually(condition) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def epochs(work: Path) -> list[int]:
    path = work / "progress.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line)["epoch"] for line in lines if line.endswith("\n")]
