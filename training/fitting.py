"""How a forecaster is fitted: solved where it can be, else descended with early stopping on the validation window."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from contracts import ModelError
from models.forecasting import (
    AdaptedBatches,
    ClosedFormForecaster,
    CompositeForecaster,
    DrawnBatches,
    Forecaster,
    GradientForecaster,
)

from .checkpoint import Checkpoint
from .recipe import FittingSection

Windows = DrawnBatches
"""Windows that are gone through in order or drawn at random, such as :class:`training.windows.WindowBatches`."""

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, in [0, 1]."""

MAXIMUM_GRADIENT_NORM = 1.0
_PREPARED_WINDOWS = 4096


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses of one epoch.

    Attributes:
        number: from 1.
        train: mean train loss.
        validation: validation loss after it.
    """

    number: int
    train: float
    validation: float


def fit(
    forecaster: Forecaster,
    train: Windows,
    validation: Windows,
    settings: FittingSection,
    progress: Progress | None = None,
    *,
    checkpoint: Checkpoint | None = None,
) -> list[Epoch]:
    """Fit a forecaster in place.

    Args:
        forecaster: unfitted.
        train: windows to fit on.
        validation: windows to choose by.
        settings: for gradient families.
        progress: told after each epoch.
        checkpoint: where a gradient family's fit is kept after each epoch, and taken up again from. A closed form
            starts again: it is deterministic.

    Returns:
        The epochs of a gradient family; empty for a closed form.

    Raises:
        ModelError: if the family offers no way of fitting, or its loss is not finite.
    """
    if isinstance(forecaster, CompositeForecaster):
        return _fit_members(
            forecaster, train, validation, settings, progress=progress or _silent, checkpoint=checkpoint
        )
    if isinstance(forecaster, ClosedFormForecaster):
        with torch.no_grad(), one_thread():
            forecaster.solve(train, validation)
        return []
    if isinstance(forecaster, GradientForecaster):
        return _Descent(forecaster, settings).run(train, validation, progress or _silent, checkpoint)
    message = f"The family {forecaster.family!r} is neither a closed form nor a gradient family. Derive it from one."
    raise ModelError(message)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work in one thread: batches of windows are too small to share between cores.

    On a busy machine the threads wait for each other far longer than they work: filling gaps took a hundred times as
    long with two threads as with one on two cores that others were using.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit_members(
    composite: CompositeForecaster,
    train: Windows,
    validation: Windows,
    settings: FittingSection,
    *,
    progress: Progress,
    checkpoint: Checkpoint | None,
) -> list[Epoch]:
    """Fit each member in its own way and from its own seed; return the epochs of all, one member behind another."""
    seen = [AdaptedBatches(composite, windows) for windows in (train, validation)]
    count = len(composite.members)
    epochs: list[Epoch] = []
    for number, member in enumerate(composite.members):
        own = settings.model_copy(update={"seed": settings.seed + number})

        def report(stage: str, share: float, done: int = number) -> None:
            progress(stage, (done + share) / count)

        kept = None if checkpoint is None else Checkpoint(checkpoint.folder / f"member-{number}")
        epochs += fit(member, seen[0], seen[1], own, report, checkpoint=kept)
    composite.eval()
    with torch.no_grad(), one_thread():
        composite.settle(validation)
    return epochs


class _Descent:
    """One descent: model, optimiser, schedule and the best epoch so far."""

    def __init__(self, forecaster: GradientForecaster, settings: FittingSection) -> None:
        self.forecaster, self.settings = forecaster, settings
        self.optimiser = torch.optim.AdamW(
            forecaster.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, settings.learning_rate, total_steps=settings.epochs * settings.steps_per_epoch
        )
        self.generator = np.random.default_rng(settings.seed)
        self.best, self.best_epoch = float("inf"), 0
        self.best_state = copy.deepcopy(forecaster.state_dict())
        self.epochs: list[Epoch] = []

    def run(
        self, train: Windows, validation: Windows, progress: Progress, checkpoint: Checkpoint | None
    ) -> list[Epoch]:
        """Descend until the validation loss no longer falls, and keep the best epoch."""
        self.forecaster.prepare(train.thinned(_PREPARED_WINDOWS, self.settings.seed))
        if checkpoint is not None:
            self._restore(checkpoint)
        while len(self.epochs) < self.settings.epochs and not self._is_stale():
            number = len(self.epochs) + 1
            optimisation = (self.optimiser, self.schedule)
            train_loss = _run_epoch(self.forecaster, train, self.settings, self.generator, optimisation)
            validation_loss = _validate(self.forecaster, validation)
            self.epochs.append(Epoch(number, train_loss, validation_loss))
            if validation_loss < self.best:
                self.best, self.best_epoch = validation_loss, number
                self.best_state = copy.deepcopy(self.forecaster.state_dict())
            if checkpoint is not None:
                self._save(checkpoint)
            progress("fitting", number / self.settings.epochs)
        self.forecaster.load_state_dict(self.best_state)
        self.forecaster.eval()
        return self.epochs

    def _is_stale(self) -> bool:
        return len(self.epochs) - self.best_epoch >= self.settings.patience

    def _save(self, checkpoint: Checkpoint) -> None:
        states = {
            "model": self.forecaster.state_dict(),
            "best": self.best_state,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        notes = {
            "epochs": [[epoch.number, epoch.train, epoch.validation] for epoch in self.epochs],
            "best": [self.best, self.best_epoch],
            "random": self.generator.bit_generator.state,
        }
        checkpoint.save(states, notes)

    def _restore(self, checkpoint: Checkpoint) -> None:
        found = checkpoint.load()
        if found is None:
            return
        states, notes = found
        self.forecaster.load_state_dict(states["model"])
        self.best_state = states["best"]
        self.optimiser.load_state_dict(states["optimiser"])
        self.schedule.load_state_dict(states["schedule"])
        self.epochs = [Epoch(int(number), train, validation) for number, train, validation in notes["epochs"]]
        self.best, self.best_epoch = notes["best"]
        self.generator.bit_generator.state = notes["random"]


def _run_epoch(
    forecaster: GradientForecaster,
    train: Windows,
    settings: FittingSection,
    generator: np.random.Generator,
    optimisation: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler],
) -> float:
    optimiser, schedule = optimisation
    forecaster.train()
    total = 0.0
    for _ in range(settings.steps_per_epoch):
        loss = forecaster.loss(train.draw(generator))
        if not torch.isfinite(loss):
            message = f"The loss became {loss.item()}. Lower the learning rate, or check the data for huge values."
            raise ModelError(message)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(forecaster.parameters(), MAXIMUM_GRADIENT_NORM)
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
    return total / settings.steps_per_epoch


def _validate(forecaster: GradientForecaster, validation: Windows) -> float:
    forecaster.eval()
    total, windows = 0.0, 0
    with torch.no_grad():
        for batch in validation:
            total += float(forecaster.loss(batch)) * len(batch.context)
            windows += len(batch.context)
    return total / max(windows, 1)


def _silent(stage: str, share: float) -> None:
    """Report to nobody."""
