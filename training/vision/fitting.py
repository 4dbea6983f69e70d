"""Fits in a process of its own and follows its progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import ModelError

from .dataset import PictureSet
from .recipe import VisionRecipe
from .worker_job import write_job

LIFELINE = "--lifeline"
"""Asks the process to end once its standard input closes: whoever asked for the fit is gone, and may ask again."""
_POLL_S = 0.2
_ERROR_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fitting left.

    Attributes:
        core: the network as ONNX.
        parity: relative difference between torch and that file.
        epochs: every line of progress, oldest first.
    """

    core: Path
    parity: float
    epochs: tuple[dict[str, Any], ...]


def fit_in_process(
    recipe: VisionRecipe, data: PictureSet, folder: Path, on_epoch: Callable[[dict[str, Any]], None]
) -> Fitted:
    """Fit a network; a fit of the same folder that was killed goes on.

    Args:
        recipe: what to fit.
        data: inspected pictures.
        folder: where to work; keep it until the version is registered.
        on_epoch: called with each epoch's line of progress.

    Raises:
        ModelError: if the process fails; its last words are in the message.
    """
    epochs = follow_fit(recipe, data, folder, on_epoch)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return Fitted(folder / "core.onnx", float(result["parity"]), epochs)


def follow_fit(
    recipe: VisionRecipe,
    data: PictureSet,
    folder: Path,
    on_epoch: Callable[[dict[str, Any]], None],
    *,
    export: bool = True,
) -> tuple[dict[str, Any], ...]:
    """Run the process that fits, and end it where ``on_epoch`` raises; see :func:`fit_in_process`.

    Args:
        recipe: what to fit.
        data: inspected pictures.
        folder: where to work.
        on_epoch: called with each epoch's line of progress.
        export: whether the network is wanted at the end.

    Returns:
        Every line of progress.

    Raises:
        ModelError: if the process fails; its last words are in the message.
    """
    job = write_job(recipe, data, folder, export=export)
    command = [sys.executable, "-P", "-W", "ignore", "-m", "training.vision.worker", str(job), LIFELINE]
    lines = folder / "progress.jsonl"
    root = str(Path(__file__).parents[2])
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
        )
        try:
            told = 0
            while process.poll() is None:
                told = _tell(lines, told, on_epoch)
                time.sleep(_POLL_S)
            _tell(lines, told, on_epoch)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
    if process.returncode != 0:
        words = (folder / "worker.log").read_text(encoding="utf-8", errors="replace")[-_ERROR_CHARACTERS:]
        message = f"Fitting {recipe.name!r} ended with code {process.returncode}: {words.strip()}"
        raise ModelError(message)
    return tuple(_read(lines))


def _tell(lines: Path, told: int, on_epoch: Callable[[dict[str, Any]], None]) -> int:
    entries = _read(lines)
    for entry in entries[told:]:
        on_epoch(entry)
    return len(entries)


def _read(lines: Path) -> list[dict[str, Any]]:
    if not lines.exists():
        return []
    text = lines.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
