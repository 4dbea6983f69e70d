"""How many epochs fit into a time budget. Pure: no clock is read here."""

from __future__ import annotations

MOSAIC_FREE_SHARE = 0.2
"""Share of the epochs at the end that see whole pictures only."""
VALIDATION_SHARE = 0.15
"""Share of the time that validation between epochs may take."""


def plan_epochs(asked: int, budget_s: float | None, *, done: int, spent_s: float, epoch_s: float | None) -> int:
    """Return how many epochs there will be in all, so that the learning rate has fallen when the time is up.

    Args:
        asked: at most.
        budget_s: seconds for all of them; None for no limit.
        done: epochs that are done.
        spent_s: seconds that they took.
        epoch_s: what one epoch takes, as far as it is known.

    Returns:
        At least ``done + 1`` (the one that is about to begin) and at most ``asked``.
    """
    if budget_s is None or not epoch_s:
        return asked
    return max(done + 1, min(asked, done + int((budget_s - spent_s) / epoch_s)))


def mosaic_free_epochs(epochs: int) -> int:
    """Return how many epochs at the end go without mosaics, at least one where there are two."""
    return max(1, round(MOSAIC_FREE_SHARE * epochs)) if epochs > 1 else 0


def is_validation_due(validation_s: float, since_s: float) -> bool:
    """Return whether another validation keeps them within their share of the time.

    Args:
        validation_s: what the last one took.
        since_s: seconds of fitting since it ended.
    """
    return validation_s <= VALIDATION_SHARE * since_s
