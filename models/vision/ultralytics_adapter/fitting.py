"""Fits a network; a fit that was killed goes on from its last epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contracts import Array, ModelError

from .networks import NetworkTask, open_network, start_network
from .schedule import mosaic_free_epochs
from .trainers import Clock, Plan, computes_bfloat16, trainer_of

Augment = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is fitted.

    Attributes:
        architecture: a network that ultralytics knows, such as ``yolo11n``.
        weights: what to start from, see :func:`.networks.start_network`; None starts from scratch.
        data: ``data.yaml`` in YOLO form; a folder of folders for a classifier.
        folder: where checkpoints go; a fit that was killed goes on from there.
        size_px: side of the square that the network takes.
        epochs: at most.
        budget_s: time after which it stops; None for no limit.
        patience: epochs without a better validation after which it stops.
        batch: pictures a step.
        learning_rate: at the start.
        seed: of every random choice.
        task: what the network answers.
        spent_s: time that earlier attempts of this fit took.
        overrides: further settings of ultralytics, such as ``mosaic``.
    """

    architecture: str
    weights: str | Path | None
    data: Path
    folder: Path
    size_px: int
    epochs: int
    budget_s: float | None
    patience: int
    batch: int
    learning_rate: float
    seed: int
    task: NetworkTask = NetworkTask.DETECT
    spent_s: float = 0.0
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Figures of one epoch: number from 1, how many at most, metrics by name, seconds since the fit began."""

    epoch: int
    epochs: int
    metrics: dict[str, float]
    spent_s: float


def fit(settings: FitSettings, report: Callable[[EpochReport], None], *, augment: Augment | None = None) -> Path:
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
    best, finished = last.with_name("best.pt"), last.with_name("finished")
    if finished.exists():
        return best
    resumed = last.exists()
    model = (
        open_network(last, settings.task)
        if resumed
        else start_network(settings.architecture, settings.weights, settings.folder, settings.task)
    )
    clock = Clock(settings.spent_s)
    plan = Plan(settings.architecture, settings.epochs, settings.budget_s, clock, computes_bfloat16())
    model.add_callback("on_model_save", lambda trainer: report(_report(trainer, clock)))
    if augment is not None:
        model.add_callback("on_pretrain_routine_end", lambda trainer: insert(trainer.train_loader.dataset, augment))
    try:
        model.train(trainer=trainer_of(settings.task, plan), **arguments(settings), resume=resumed)
    except (RuntimeError, ValueError, OSError, AssertionError, SyntaxError) as exc:
        message = f"Fitting {settings.architecture!r} failed: {exc}"
        raise ModelError(message) from exc
    finished.touch()
    return best


def arguments(settings: FitSettings) -> dict[str, Any]:
    """Return ultralytics' arguments for a fit."""
    return {
        "data": str(settings.data),
        "imgsz": settings.size_px,
        "epochs": settings.epochs,
        "patience": settings.patience,
        "batch": settings.batch,
        "nbs": settings.batch,  # one step a batch: the default of 64 gives a small data set too few
        "optimizer": "AdamW",
        "lr0": settings.learning_rate,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,  # 0.1 is meant for SGD
        "close_mosaic": mosaic_free_epochs(settings.epochs),
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


def _report(trainer: Any, clock: Clock) -> EpochReport:
    given = trainer.metrics if trainer.validated else {}
    metrics = {name: float(value) for name, value in given.items()}
    if trainer.tloss is not None:
        losses = trainer.label_loss_items(trainer.tloss, prefix="train")
        metrics |= {name: float(value) for name, value in losses.items()}
    metrics |= {name: float(value) for name, value in trainer.lr.items()}
    return EpochReport(trainer.epoch + 1, trainer.epochs, metrics, clock.spent_s())


def insert(dataset: Any, augment: Augment) -> None:
    """Let every picture of a training set pass through ``augment`` before it becomes a tensor."""
    if hasattr(dataset, "torch_transforms"):  # a classifier's: Pillow's pictures
        steps = dataset.torch_transforms.transforms
        steps.insert(0, lambda picture: Image.fromarray(augment(np.asarray(picture))))
        return

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
