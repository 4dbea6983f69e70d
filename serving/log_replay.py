"""Replays what was logged to another version of a model, and says how its answers differ from those that were given."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from contracts import ModelError, TensorError

from .engine import ServedModel
from .engine.trials import relative_difference
from .inference_log import LoggedInference

Progress = Callable[[int], None]


@dataclass(slots=True)
class LogReplay:
    """What a replay found.

    Attributes:
        model: its name.
        version: the version that was tried.
        asked: requests that were replayed.
        failed: of these, those that it refused, failed, or gave no number where there was one.
        identical: those answered alike to the last bit.
        difference: mean over requests of mean |new - logged| / mean |logged|; None where nothing could be compared.
        worst: the largest of them.
        worst_at_ms: when the request was logged that differs most.
        reasons: why requests failed, a few of them.
        answered_by: logged version → requests.
        logged_ms: median time of the logged answers, their waiting included.
        run_ms: median time of a run here.
    """

    model: str
    version: int
    asked: int = 0
    failed: int = 0
    identical: int = 0
    difference: float | None = None
    worst: float = 0.0
    worst_at_ms: int | None = None
    reasons: list[str] = field(default_factory=list)
    answered_by: dict[int, int] = field(default_factory=dict)
    logged_ms: float | None = None
    run_ms: float | None = None


_SHOWN_REASONS = 5


def replay_log(entries: Iterable[LoggedInference], model: ServedModel, progress: Progress | None = None) -> LogReplay:
    """Ask a version what was asked before.

    Args:
        entries: what was logged.
        model: the version, open.
        progress: told how many were replayed.
    """
    found = LogReplay(model.name, model.version)
    differences, runs_s, logged_s = [], [], []
    for entry in entries:
        found.asked += 1
        found.answered_by[entry.version] = found.answered_by.get(entry.version, 0) + 1
        logged_s.append(entry.seconds)
        started = time.perf_counter()
        try:
            difference = _difference(entry, model)
        except (TensorError, ModelError) as exc:
            _count_failure(found, str(exc))
        else:
            runs_s.append(time.perf_counter() - started)
            differences.append(difference)
            found.identical += difference == 0
            if found.worst_at_ms is None or difference > found.worst:
                found.worst, found.worst_at_ms = difference, entry.time_ms
        if progress is not None:
            progress(found.asked)
    if differences:
        found.difference, found.run_ms = float(np.mean(differences)), 1000 * float(np.median(runs_s))
    if logged_s:
        found.logged_ms = 1000 * float(np.median(logged_s))
    return found


def _difference(entry: LoggedInference, model: ServedModel) -> float:
    """Return how far an answer is from the logged one.

    Raises:
        TensorError: if the version does not take the request.
        ModelError: if it fails, or gives no number or no output where there was one.
    """
    model.check(entry.inputs)
    outputs = model.run(entry.inputs)
    missing = sorted(set(entry.outputs) - set(outputs))
    if missing:
        message = f"It gives no output {missing[0]!r}."
        raise ModelError(message)
    difference = max(relative_difference(outputs[name], array) for name, array in entry.outputs.items())
    if not math.isfinite(difference):
        message = "It gives no number where there was one."
        raise ModelError(message)
    return difference


def _count_failure(found: LogReplay, reason: str) -> None:
    found.failed += 1
    if reason not in found.reasons and len(found.reasons) < _SHOWN_REASONS:
        found.reasons.append(reason)
