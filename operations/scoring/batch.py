"""Batch scoring: forecasts for every sign of a panel or of the store in one call, written as they are made.

What is held in memory is one line for each sign and the contexts of a bounded number of them, however long a panel is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts import DataError
from store.panels import ForecastWriter

from .contexts import Contexts
from .scorer import Scorer
from .together import forecast_together

CONTEXT_BYTES = 256 * 1024**2
BATCH = 1024
Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, in [0, 1]."""


@dataclass(slots=True)
class Scoring:
    """What came of it.

    Attributes:
        forecast: how many signs, and totals of signs that add up, each model forecast.
        skipped: sign → why it was not forecast.
        rows: rows written, one for each sign and step.
    """

    forecast: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    rows: int = 0


def score_signs(
    contexts: Contexts,
    scorers: Mapping[str, Scorer],
    path: Path,
    *,
    at_ms: int | None = None,
    progress: Progress | None = None,
) -> Scoring:
    """Forecast signs and write one row for each sign and step.

    Args:
        contexts: the readings.
        scorers: sign → its forecaster. Signs of the readings that it does not hold are skipped.
        path: Parquet, or CSV where the name ends so.
        at_ms: event time that all forecasts are made at; None for each sign's newest reading, and for signs that add up
            the newest of any of them.
        progress: told how much is done.

    Raises:
        DataError: if nothing can be forecast, or the file cannot be written.
    """
    report, result = progress or _silent, Scoring()
    report("looking for signs", 0.0)
    origins = {sign: newest if at_ms is None else at_ms for sign, newest in contexts.newest_ms().items()}
    groups: dict[int, tuple[Scorer, list[str]]] = {}
    for sign in origins:
        scorer = scorers.get(sign)
        if scorer is None:
            result.skipped[sign] = "no model forecasts it"
        else:
            groups.setdefault(id(scorer), (scorer, []))[1].append(sign)
    if not groups:
        message = (
            f"No model forecasts any of the {len(origins)} signs. Assign one with `cityforge assign`, or name one."
        )
        raise DataError(message)
    levels = sorted({level for scorer, _ in groups.values() for level in scorer.spec.quantiles})
    done, total = 0, sum(len(signs) for _, signs in groups.values())
    with ForecastWriter(path, levels) as writer:
        for scorer, assigned in groups.values():
            signs = _score_hierarchy(contexts, scorer, assigned, origins, (writer, result))
            done += len(assigned) - len(signs)
            for chunk in _chunks(signs, max(1, CONTEXT_BYTES // (4 * scorer.spec.context))):
                _score_chunk(contexts, scorer, chunk, np.array([origins[one] for one in chunk]), (writer, result))
                done += len(chunk)
                report("forecasting", done / total)
        result.rows = writer.rows
    return result


def _score_hierarchy(
    contexts: Contexts,
    scorer: Scorer,
    assigned: list[str],
    origins: Mapping[str, int],
    target: tuple[ForecastWriter, Scoring],
) -> list[str]:
    """Forecast the signs that add up, and their totals; return the signs that are left."""
    hierarchy = scorer.hierarchy
    summed = set() if hierarchy is None else set(hierarchy.signs).intersection(assigned)
    if hierarchy is None or not summed:
        return assigned
    writer, result = target
    origin_ms = max(origins[sign] for sign in summed)
    joint = forecast_together(contexts, scorer, hierarchy, origin_ms, summed)
    for node, observed in joint.blind.items():
        result.skipped[node] = (
            f"{observed} readings in its context, {scorer.spec.minimum_observed} needed by {scorer.name}; "
            "sums count it with its usual magnitude"
        )
    at_ms = np.full(len(joint.nodes), origin_ms, np.int64)
    writer.write(joint.nodes, at_ms, scorer.spec, joint.values, model=scorer.name, version=scorer.version)
    result.forecast[scorer.name] = len(joint.nodes)
    return [sign for sign in assigned if sign not in summed]


def _score_chunk(
    contexts: Contexts,
    scorer: Scorer,
    signs: list[str],
    origins_ms: NDArray[np.int64],
    target: tuple[ForecastWriter, Scoring],
) -> None:
    writer, result = target
    rows = contexts.read(signs, origins_ms, scorer)
    observed = np.isfinite(rows).sum(1)
    for number in np.flatnonzero(observed < scorer.spec.minimum_observed):
        result.skipped[signs[number]] = (
            f"{observed[number]} readings in its context, {scorer.spec.minimum_observed} needed by {scorer.name}"
        )
    usable = np.flatnonzero(observed >= scorer.spec.minimum_observed)
    for start in range(0, len(usable), BATCH):
        chosen = usable[start : start + BATCH]
        names = [signs[number] for number in chosen]
        values = scorer.forecast(names, rows[chosen], origins_ms[chosen])
        writer.write(names, origins_ms[chosen], scorer.spec, values, model=scorer.name, version=scorer.version)
    result.forecast[scorer.name] = result.forecast.get(scorer.name, 0) + len(usable)


def _chunks(signs: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(signs), size):
        yield signs[start : start + size]


def _silent(stage: str, share: float) -> None:
    """Report to nobody."""
