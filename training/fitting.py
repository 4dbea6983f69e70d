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

from .recipe import FittingSection

Windows = DrawnBatches
"""Windows that are gone through in order or drawn at random, such as :class:`training.windows.WindowBatches`."""

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, in [0, 1]."""

MAXIMUM_GRADIENT_NORM = 1.0


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
) -> list[Epoch]:
    """Fit a forecaster in place.

    Args:
        forecaster: unfitted.
        train: windows to fit on.
        validation: windows to choose by.
        settings: for gradient families.
        progress: told after each epoch.

    Returns:
        The epochs of a gradient family; empty for a closed form.

    Raises:
        ModelError: if the family offers no way of fitting, or its loss is not finite.
    """
    if isinstance(forecaster, CompositeForecaster):
        return _fit_members(forecaster, train, validation, settings, progress or _silent)
    if isinstance(forecaster, ClosedFormForecaster):
        with torch.no_grad(), _one_thread():
            forecaster.solve(train.thinned(settings.windows, settings.seed), validation)
        return []
    if isinstance(forecaster, GradientForecaster):
        return _descend(forecaster, train, validation, settings, progress or _silent)
    message = f"The family {forecaster.family!r} is neither a closed form nor a gradient family. Derive it from one."
    raise ModelError(message)


@contextmanager
def _one_thread() -> Iterator[None]:
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
    progress: Progress,
) -> list[Epoch]:
    """Fit each member in its own way and from its own seed; return the epochs of all, one member behind another."""
    seen = [AdaptedBatches(composite, windows) for windows in (train, validation)]
    count = len(composite.members)
    epochs: list[Epoch] = []
    for number, member in enumerate(composite.members):
        own = settings.model_copy(update={"seed": settings.seed + number})

        def report(stage: str, share: float, done: int = number) -> None:
            progress(stage, (done + share) / count)

        epochs += fit(member, seen[0], seen[1], own, report)
    return epochs


def _descend(
    forecaster: GradientForecaster,
    train: Windows,
    validation: Windows,
    settings: FittingSection,
    progress: Progress,
) -> list[Epoch]:
    optimiser = torch.optim.AdamW(
        forecaster.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.epochs * settings.steps_per_epoch
    )
    generator = np.random.default_rng(settings.seed)
    best, best_state = float("inf"), copy.deepcopy(forecaster.state_dict())
    epochs: list[Epoch] = []
    best_epoch = 0
    for number in range(1, settings.epochs + 1):
        train_loss = _run_epoch(forecaster, train, settings, generator, (optimiser, schedule))
        validation_loss = _validate(forecaster, validation)
        epochs.append(Epoch(number, train_loss, validation_loss))
        progress("fitting", number / settings.epochs)
        if validation_loss < best:
            best, best_epoch, best_state = validation_loss, number, copy.deepcopy(forecaster.state_dict())
        elif number - best_epoch >= settings.patience:
            break
    forecaster.load_state_dict(best_state)
    forecaster.eval()
    return epochs


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
