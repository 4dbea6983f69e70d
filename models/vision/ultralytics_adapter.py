"""The one module that imports ultralytics: fitting a detector and taking its network out as ONNX.

Offline and reproducible: nothing is fetched, no account is asked for, and ultralytics' own tracking is off, for it
names experiments after paths and takes over the whole process. Meant to be called in a process of its own.
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from matplotlib import get_data_path
from PIL import Image

from contracts import Array, ModelError

from .torchvision_nms import load_torchvision

OPSET = 18
_SILENT_SETTINGS = ("mlflow", "sync", "clearml", "comet", "dvc", "hub", "neptune", "raytune", "tensorboard", "wandb")
_MINIMUM_SHARE_LOADED = 0.5


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is fitted.

    Attributes:
        architecture: a network that ultralytics knows, such as ``yolo11n``.
        weights: file to start from (``.pt`` of ultralytics, ``.npz`` of plain arrays); None starts from scratch.
        data: ``data.yaml`` in YOLO form.
        folder: where checkpoints go; a fit that was killed goes on from there.
        size_px: side of the square that the network takes.
        epochs: at most.
        budget_s: time after which it stops; None for no limit.
        patience: epochs without a better validation after which it stops.
        batch: pictures a step.
        learning_rate: at the start.
        seed: of every random choice.
        overrides: further settings of ultralytics, such as ``mosaic``.
    """

    architecture: str
    weights: Path | None
    data: Path
    folder: Path
    size_px: int
    epochs: int
    budget_s: float | None
    patience: int
    batch: int
    learning_rate: float
    seed: int
    overrides: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Figures of one epoch: number from 1, how many at most, metrics by name."""

    epoch: int
    epochs: int
    metrics: dict[str, float]


def prepare(folder: Path) -> None:
    """Make ultralytics importable, offline and silent.

    Args:
        folder: where its settings may lie; a font is put there, or it would wait for the network on each run.
    """
    os.environ |= {"YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder), "YOLO_VERBOSE": "false"}
    os.environ.setdefault("YOLO_OFFLINE", "true")
    own = folder / "Ultralytics"
    own.mkdir(parents=True, exist_ok=True)
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        shutil.copyfile(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", own / name)
    load_torchvision()
    pillow_open = Image.open
    from ultralytics import settings  # lazy: reads the environment at import
    from ultralytics.utils import patches  # noqa: F401 - lazy: so that what it replaces is replaced here

    Image.open = pillow_open  # ultralytics' own wants a further package for every file that is no picture
    settings.update(dict.fromkeys((key for key in _SILENT_SETTINGS if key in settings), False))


def fit(settings: FitSettings, report: Callable[[EpochReport], None], *, augment: Callable[[Array], Array]) -> Path:
    """Fit a network, or go on with a fit that was killed.

    Args:
        settings: what and how.
        report: called after each epoch, once its checkpoint is saved.
        augment: called with every training picture, uint8 (height, width, 3) RGB; returns the same shape.

    Returns:
        The checkpoint that was best on validation.

    Raises:
        ModelError: if the weights cannot be had or ultralytics fails.
    """
    last = settings.folder / "run" / "weights" / "last.pt"
    resumed = last.exists()
    model = _open(last) if resumed else _start(settings)
    model.add_callback("on_model_save", lambda trainer: report(_report(trainer)))
    model.add_callback("on_pretrain_routine_end", lambda trainer: _insert(trainer.train_loader.dataset, augment))
    arguments = _arguments(settings)
    try:
        model.train(**arguments, resume=resumed)
    except (RuntimeError, ValueError, OSError, AssertionError, SyntaxError) as exc:
        message = f"Fitting {settings.architecture!r} failed: {exc}"
        raise ModelError(message) from exc
    best = last.with_name("best.pt")
    return best if best.exists() else last


def export_core(weights: Path, size_px: int) -> onnx.ModelProto:
    """Take the network of a checkpoint out as ONNX, with a dynamic batch.

    Returns:
        float32 (batch, 3, size_px, size_px) RGB within 0..1 in; (batch, 4 + class, anchor) out.

    Raises:
        ModelError: if it cannot be exported.
    """
    return convert_core(_open(weights).model, size_px)


def run_network(weights: Path, pixels: Array) -> Array:
    """Run the network of a checkpoint in torch, float32 (batch, 3, size, size); what an export is compared with."""
    network = _open(weights).model.float().eval()
    with torch.no_grad():
        raw: Array = network(torch.from_numpy(pixels))[0].numpy()
    return raw


def convert_core(network: torch.nn.Module, size_px: int) -> onnx.ModelProto:
    """Convert a network of ultralytics; it is fused and left in evaluation mode.

    Raises:
        ModelError: if torch cannot export it.
    """
    network = network.float().eval().fuse(verbose=False)
    for module in network.modules():
        if hasattr(module, "export") and hasattr(module, "dynamic"):
            module.export, module.dynamic, module.format = True, True, "onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals; parity is measured instead
        try:
            program = torch.onnx.export(
                network,
                (torch.zeros(2, 3, size_px, size_px),),
                input_names=["pixels"],
                output_names=["raw"],
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                external_data=False,
            )
        except (RuntimeError, ValueError, torch.onnx.errors.OnnxExporterError) as exc:
            message = f"The network cannot be exported: {exc}"
            raise ModelError(message) from exc
    if program is None:
        message = "The network cannot be exported: torch returned no graph."
        raise ModelError(message)
    return program.model_proto


def build_network(architecture: str, classes: int) -> Any:
    """Build a network of ultralytics with random weights.

    Raises:
        ModelError: if ultralytics knows no such architecture.
    """
    from ultralytics import YOLO  # lazy: `prepare` must run first

    try:
        model = YOLO(f"{architecture}.yaml", task="detect", verbose=False)
    except (FileNotFoundError, KeyError, ValueError) as exc:
        message = f"Unknown architecture {architecture!r}: {exc}. Use one of ultralytics' own, such as 'yolo11n'."
        raise ModelError(message) from exc
    from ultralytics.nn.tasks import DetectionModel  # lazy: as above

    model.model = DetectionModel(model.model.yaml, nc=classes, verbose=False)
    return model


def _start(settings: FitSettings) -> Any:
    if settings.weights is None:
        return build_network(settings.architecture, classes=1)  # the trainer rebuilds the head for the data's classes
    if not settings.weights.is_file():
        message = (
            f"The weights {str(settings.weights)!r} do not exist, and nothing is fetched. Give a path to a .pt or "
            '.npz file in [model].weights, or weights = "" to start from scratch.'
        )
        raise ModelError(message)
    if settings.weights.suffix == ".npz":
        return _from_arrays(settings, settings.weights)
    return _open(settings.weights)


def _open(weights: Path) -> Any:
    from ultralytics import YOLO  # lazy: `prepare` must run first

    try:
        return YOLO(str(weights), task="detect")
    except Exception as exc:
        message = f"The weights {str(weights)!r} cannot be read: {exc}. Give a checkpoint of ultralytics."
        raise ModelError(message) from exc


def _from_arrays(settings: FitSettings, weights: Path) -> Any:
    """Start from plain arrays named as in the network; those that do not fit are left at random."""
    model = build_network(settings.architecture, classes=1)
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
            f"{settings.architecture!r}. Give the weights of that architecture."
        )
        raise ModelError(message)
    model.model.load_state_dict(fitting, strict=False)
    if settings.architecture.startswith("yolov5"):
        for module in model.model.modules():
            if type(module).__name__ == "SPPF":
                module.cv1.act = torch.nn.SiLU()  # YOLOv5 was trained with it; ultralytics builds it without
    start = settings.folder / "start.pt"
    model.save(start)
    return _open(start)


def _arguments(settings: FitSettings) -> dict[str, Any]:
    return {
        "data": str(settings.data),
        "imgsz": settings.size_px,
        "epochs": settings.epochs,
        "time": None if settings.budget_s is None else settings.budget_s / 3600,
        "patience": settings.patience,
        "batch": settings.batch,
        "nbs": 16,  # the default of 64 gives a small data set too few steps
        "optimizer": "AdamW",
        "lr0": settings.learning_rate,
        "seed": settings.seed,
        "deterministic": True,
        "project": str(settings.folder),
        "name": "run",
        "exist_ok": True,
        "amp": False,
        "workers": 0,
        "cache": "ram",
        "plots": False,
        "verbose": False,
        "device": "cpu",
        **settings.overrides,
    }


def _report(trainer: Any) -> EpochReport:
    metrics = {name: float(value) for name, value in (trainer.metrics or {}).items()}
    if trainer.tloss is not None:
        losses = trainer.label_loss_items(trainer.tloss, prefix="train")
        metrics |= {name: float(value) for name, value in losses.items()}
    return EpochReport(trainer.epoch + 1, trainer.epochs, metrics)


def _insert(dataset: Any, augment: Callable[[Array], Array]) -> None:
    """Let every picture pass through ``augment`` before it becomes a tensor."""

    class Step:
        def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
            bgr = labels["img"]
            labels["img"] = np.ascontiguousarray(augment(np.ascontiguousarray(bgr[..., ::-1]))[..., ::-1])
            return labels

    original = dataset.build_transforms

    def build(hyp: Any = None) -> Any:
        transforms = original(hyp)
        transforms.insert(len(transforms.transforms) - 1, Step())
        return transforms

    dataset.build_transforms = build  # ultralytics builds them again when it closes the mosaic
    dataset.transforms.insert(len(dataset.transforms.transforms) - 1, Step())
