"""Trainers of ultralytics, changed for few pictures, a time budget and a processor without a graphics card.

What is changed, and why:

- steps: ultralytics' rates for SGD (a warm-up of the biases at 0.1) destroy a start under AdamW; its moving average
  of the weights needs thousands of steps before it averages anything;
- time: the number of epochs follows the budget, and so the learning rate has fallen when the time is up; time spent
  before a fit was killed counts; validation takes its share of the time and no more;
- speed: bfloat16 and channels last where the processor computes them natively.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .networks import NetworkTask, restore_activation
from .schedule import is_validation_due, mosaic_free_epochs, plan_epochs

if TYPE_CHECKING:
    from ultralytics.engine.trainer import BaseTrainer as _Base
else:
    _Base = object

AVERAGE_STEPS = 100
"""Steps over which the moving average of the weights reaches."""


@dataclass(slots=True)
class Clock:
    """Seconds that a fit has taken, over all its attempts.

    Attributes:
        before_s: spent by earlier attempts that were killed.
    """

    before_s: float = 0.0
    _started_s: float = field(default_factory=time.monotonic)

    def spent_s(self) -> float:
        """Return what all attempts took so far."""
        return self.before_s + time.monotonic() - self._started_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What a trainer needs to know beside ultralytics' own arguments.

    Attributes:
        architecture: such as ``yolo11n``.
        epochs: at most.
        budget_s: seconds in all; None for no limit.
        clock: what was spent.
        low_precision: whether convolutions run in bfloat16.
    """

    architecture: str
    epochs: int
    budget_s: float | None
    clock: Clock
    low_precision: bool


def computes_bfloat16() -> bool:
    """Return whether this processor multiplies matrices of bfloat16 natively (AMX)."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


class LowPrecision(torch.nn.Module):
    """Runs a network in bfloat16 where that is safe; its weights, gradients and losses' sums stay float32.

    ultralytics refuses bfloat16 beside CUDA, and looks for the network in ``module`` of a wrapper.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *arguments: Any) -> Any:
        """Run the network."""
        with torch.autocast("cpu", torch.bfloat16):
            return self.module(*arguments)


class PlannedTraining(_Base):
    """Mixin over a trainer of ultralytics."""

    plan: Plan
    model: Any
    last: Path
    best: Path
    validated = False
    """Whether this epoch was."""

    def get_model(self, *arguments: Any, **options: Any) -> Any:
        """Build the network, as its weights were trained."""
        network = super().get_model(*arguments, **options)
        restore_activation(network, self.plan.architecture)
        return network

    def _setup_train(self) -> None:
        super()._setup_train()
        decay = 1 - 1 / AVERAGE_STEPS
        self.ema.decay = lambda step: min(decay, (1 + step) / (10 + step))
        self._validation_s, self._validated_s = 0.0, time.monotonic()
        if self.plan.low_precision:
            self.model = LowPrecision(self.model.to(memory_format=torch.channels_last))
        self.add_callback("on_train_epoch_start", _plan)
        self.add_callback("on_train_batch_end", _stop_in_time)

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Bring a batch into the order in memory that the processor likes."""
        batch = super().preprocess_batch(batch)
        if self.plan.low_precision:
            batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def validate(self) -> tuple[Any, Any]:
        """Validate, unless it was done a short while ago; the last epoch always is."""
        self.validated = False
        last = self.epoch + 1 >= self.epochs or self.stop
        if not last and not is_validation_due(self._validation_s, time.monotonic() - self._validated_s):
            return self.metrics, None  # no fitness: neither best checkpoint nor patience counts this epoch
        began_s = time.monotonic()
        answer = super().validate()
        self.validated = True
        self._validated_s = time.monotonic()
        self._validation_s = self._validated_s - began_s
        return answer

    def save_model(self) -> Any:
        """Save checkpoints whole or not at all: a fit may be killed while they are written."""
        kept = self.last, self.best
        fresh = [path.with_suffix(".new") for path in kept]
        for path in fresh:
            path.unlink(missing_ok=True)
        self.last, self.best = fresh
        try:
            answer = super().save_model()
        finally:
            self.last, self.best = kept
        for path, whole in zip(fresh, kept, strict=True):
            if path.exists():
                path.replace(whole)
        return answer

    def final_eval(self) -> None:
        """Leave both checkpoints whole: what is released is judged as ONNX, and a resumed fit needs them."""


def _plan(trainer: Any) -> None:
    """Fit the epochs that are left into the time that is left, before one begins."""
    plan, done = trainer.plan, trainer.epoch
    spent_s = plan.clock.spent_s()
    if done == trainer.start_epoch:
        trainer._first_began_s = spent_s
        epoch_s = None
    else:
        epoch_s = (spent_s - trainer._first_began_s) / (done - trainer.start_epoch)
    epochs = plan_epochs(plan.epochs, plan.budget_s, done=done, spent_s=spent_s, epoch_s=epoch_s)
    trainer.epochs = trainer.args.epochs = epochs
    trainer.args.close_mosaic = mosaic_free_epochs(epochs)
    trainer._setup_scheduler()
    trainer.scheduler.last_epoch = done - 1  # the step that follows moves it to this epoch


def _stop_in_time(trainer: Any) -> None:
    budget_s = trainer.plan.budget_s
    if budget_s is not None and trainer.plan.clock.spent_s() > budget_s:
        trainer.stop = True


def trainer_of(task: NetworkTask, plan: Plan) -> Callable[..., Any]:
    """Return the class that trains a task after a plan."""
    from ultralytics.models.yolo import classify, detect, segment  # lazy: `prepare` must run first

    base = {
        NetworkTask.DETECT: detect.DetectionTrainer,
        NetworkTask.CLASSIFY: classify.ClassificationTrainer,
        NetworkTask.SEGMENT: segment.SegmentationTrainer,
    }[task]
    return type(f"Planned{base.__name__}", (PlannedTraining, base), {"plan": plan})
