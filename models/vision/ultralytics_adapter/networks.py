"""Networks to start from: built with random weights, opened from a checkpoint, or filled from plain arrays."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contracts import ModelError

_MINIMUM_SHARE_LOADED = 0.5
_SUFFIXES = {"detect": "", "classify": "-cls", "segment": "-seg"}


class NetworkTask(StrEnum):
    """What a network answers."""

    DETECT = "detect"
    CLASSIFY = "classify"
    SEGMENT = "segment"


def build_network(architecture: str, classes: int, task: NetworkTask = NetworkTask.DETECT) -> Any:
    """Build a network of ultralytics with random weights.

    Args:
        architecture: such as ``yolo11n``; the suffix of the task is added where it is missing.
        classes: number of classes.
        task: what it answers.

    Raises:
        ModelError: if ultralytics knows no such architecture.
    """
    from ultralytics import YOLO  # lazy: `prepare` must run first
    from ultralytics.nn import tasks  # lazy: as above

    name = network_name(architecture, task)
    try:
        model = YOLO(f"{name}.yaml", task=str(task), verbose=False)
    except (FileNotFoundError, KeyError, ValueError) as exc:
        message = f"Unknown architecture {name!r}: {exc}. Use one of ultralytics' own, such as 'yolo11n'."
        raise ModelError(message) from exc
    kinds = {
        NetworkTask.DETECT: tasks.DetectionModel,
        NetworkTask.CLASSIFY: tasks.ClassificationModel,
        NetworkTask.SEGMENT: tasks.SegmentationModel,
    }
    model.model = kinds[task](model.model.yaml, nc=classes, verbose=False)
    return model


def network_name(architecture: str, task: NetworkTask) -> str:
    """Return ultralytics' name of an architecture for a task, such as ``yolo11n-seg``."""
    suffix = _SUFFIXES[task]
    return architecture if architecture.endswith(suffix) else f"{architecture}{suffix}"


def open_network(weights: Path, task: NetworkTask = NetworkTask.DETECT) -> Any:
    """Open a checkpoint of ultralytics.

    Raises:
        ModelError: if it cannot be read, or is a network of another task.
    """
    from ultralytics import YOLO  # lazy: `prepare` must run first

    try:
        model = YOLO(str(weights), task=str(task))
    except Exception as exc:
        message = f"The weights {str(weights)!r} cannot be read: {exc}. Give a checkpoint of ultralytics."
        raise ModelError(message) from exc
    if model.task != task:
        message = f"The weights {str(weights)!r} are of a network that can {model.task}, but the recipe says {task}."
        raise ModelError(message)
    return model


def start_network(architecture: str, weights: str | Path | None, folder: Path, task: NetworkTask) -> Any:
    """Return the network that a fit starts from.

    Args:
        architecture: such as ``yolo11n``.
        weights: a file (``.pt`` of ultralytics, ``.npz`` of plain arrays); a name of ultralytics' own such as
            ``yolo11n.pt``, fetched where the network allows it; None starts from scratch.
        folder: where a start made of plain arrays, or a fetched file, is kept.
        task: what it answers.

    Raises:
        ModelError: if the weights cannot be had, read or do not fit.
    """
    if weights is None:
        return build_network(architecture, classes=1, task=task)  # the trainer rebuilds the head for the data
    path = Path(weights)
    if not path.is_file():
        path = _fetch(str(weights), folder)
    if path.suffix == ".npz":
        return _from_arrays(architecture, path, folder, task)
    return open_network(path, task)


def _fetch(name: str, folder: Path) -> Path:
    """Fetch pretrained weights by their published name, if the network allows."""
    refusal = (
        f"The weights {name!r} do not exist as a file, and cannot be fetched by that name: {{}}. Give the path of a "
        '.pt or .npz file in [model].weights, or weights = "" to start from scratch.'
    )
    if Path(name).name != name or not name.endswith(".pt"):
        raise ModelError(refusal.format("only a bare name such as 'yolo11n.pt' can be"))
    from ultralytics.utils import ONLINE, downloads  # lazy: `prepare` must run first

    if name not in downloads.GITHUB_ASSETS_NAMES:
        raise ModelError(refusal.format("ultralytics publishes no such file"))
    if not ONLINE:
        raise ModelError(refusal.format("this machine is offline, or YOLO_OFFLINE is set"))
    try:
        fetched = Path(downloads.attempt_download_asset(folder / name))
    except (OSError, RuntimeError) as exc:
        raise ModelError(refusal.format(exc)) from exc
    if not fetched.is_file():
        raise ModelError(refusal.format("the download failed"))
    return fetched


def _from_arrays(architecture: str, weights: Path, folder: Path, task: NetworkTask) -> Any:
    """Start from plain arrays named as in the network; those that do not fit are left at random."""
    model = build_network(architecture, classes=1, task=task)
    own = model.model.state_dict()
    try:
        with np.load(weights, allow_pickle=False) as arrays:
            given = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}
    except (OSError, ValueError) as exc:
        message = f"The weights {str(weights)!r} cannot be read: {exc}. Give arrays without objects."
        raise ModelError(message) from exc
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if len(fitting) < _MINIMUM_SHARE_LOADED * len(given):
        message = (
            f"Only {len(fitting)} of the {len(given)} arrays in {str(weights)!r} fit "
            f"{architecture!r}. Give the weights of that architecture."
        )
        raise ModelError(message)
    model.model.load_state_dict(fitting, strict=False)
    start = folder / "start.pt"
    model.save(start)
    return open_network(start, task)


def restore_activation(network: torch.nn.Module, architecture: str) -> None:
    """Give YOLOv5's pooling block the activation that YOLOv5 was trained with; ultralytics builds it without."""
    if architecture.startswith("yolov5"):
        for module in network.modules():
            if type(module).__name__ == "SPPF":
                module.cv1.act = torch.nn.SiLU()
