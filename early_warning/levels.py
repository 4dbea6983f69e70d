"""Levels: how grave a probability is. A level is reached when the probability exceeds its bar, cost over loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts import Level


def reached(probability: float, bars: Mapping[Level, float]) -> Level | None:
    """Return the gravest level whose bar the probability exceeds; None when there is none."""
    return _gravest(level for level, bar in bars.items() if probability > bar)


def held(probability: float, bars: Mapping[Level, float], current: Level, release: float) -> Level | None:
    """Return the level of an open episode: reached anew, or held while above a share of its bar.

    Args:
        probability: calibrated probability of the risk.
        bars: cost over loss by level.
        current: the level it has.
        release: share of a bar above which a level already had is kept.
    """
    return _gravest(
        level
        for level, bar in bars.items()
        if probability > bar or (level.rank <= current.rank and probability > release * bar)
    )


def raised(bars: Mapping[Level, float], doublings: int) -> dict[Level, float]:
    """Return bars whose odds are doubled so many times: what an exhausted alarm budget asks for.

    Doubled odds keep every bar below one, so that a risk that is sure enough always opens.
    """
    factor = 2.0**doublings
    return {level: factor * bar / (1 - bar + factor * bar) for level, bar in bars.items()}


def _gravest(levels: Iterable[Level]) -> Level | None:
    return max(levels, key=lambda level: level.rank, default=None)
