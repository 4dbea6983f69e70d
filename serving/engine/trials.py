"""Challengers beside champions: they look at requests on idle threads, or answer a share of them.

A challenger never makes anybody wait: it runs only while no request does, one run at a time, and at most a tenth of the
time. Where it answers itself and fails, the champion answers after all. A regression ends its trial.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from contracts import Array, TrialPlan, TrialReport

from .batcher import Priority
from .release import ServedModel

SHADOW_SHARE = 0.1
"""A challenger looks on for at most this share of the time."""
_SLOW_S = 0.001
"""Runs shorter than this are not called slow: what surrounds them takes longer."""

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Trial:
    """One challenger.

    Attributes:
        plan: what is tried.
        model: the challenger, open and proven.
        total: what was found since this process began the trial.
        fresh: what was found since the last report.
        ended: why it ended; None while it goes on.
        busy: whether it runs now.
    """

    plan: TrialPlan
    model: ServedModel
    total: TrialReport = field(init=False)
    fresh: TrialReport = field(init=False)
    ended: str | None = None
    busy: bool = False
    _due: float = 0.0
    _next_at: float = 0.0

    def __post_init__(self) -> None:
        self.total = self.fresh = TrialReport(version=self.plan.version)

    def takes(self, priority: Priority) -> bool:
        """Return whether the challenger is to answer the next request; alarms never."""
        if not self.plan.canary_share or self.ended is not None or priority is Priority.ALARM:
            return False
        self._due += self.plan.canary_share
        if self._due < 1:
            return False
        self._due -= 1
        return True

    def may_look(self) -> bool:
        """Return whether the challenger may run beside the champion now."""
        return not self.busy and self.ended is None and time.monotonic() >= self._next_at

    def answered(self) -> None:
        """Count a request that the challenger answered."""
        self._add(TrialReport(version=self.plan.version, canaried=1))

    def failed(self, reason: str) -> None:
        """Count a run that failed."""
        log.warning("the challenger %s of %r failed: %s", self.plan.version, self.plan.name, reason)
        self._add(TrialReport(version=self.plan.version, comparisons=1, failures=1))

    def compared(self, champion: ServedModel, difference: float, taken_s: float) -> None:
        """Count a request that both answered."""
        self._next_at = time.monotonic() + taken_s * (1 / SHADOW_SHARE - 1)
        lost = not np.isfinite(difference)
        self._add(
            TrialReport(
                version=self.plan.version,
                champion=champion.version,
                comparisons=1,
                failures=int(lost),
                difference_sum=0.0 if lost else difference,
                difference_worst=0.0 if lost else difference,
                latency_ratio=round(self.model.run_s / max(champion.run_s, 1e-9), 3),
            )
        )

    def take_report(self) -> TrialReport | None:
        """Return what was found since the last report; None for nothing."""
        found, self.fresh = self.fresh, TrialReport(version=self.plan.version)
        return found if found.comparisons or found.canaried else None

    def _add(self, found: TrialReport) -> None:
        self.fresh, self.total = self.fresh.joined(found), self.total.joined(found)
        self.ended = self.ended or self._regression()
        if self.ended is not None:
            log.warning("the trial of version %s of %r ends: %s", self.plan.version, self.plan.name, self.ended)

    def _regression(self) -> str | None:
        found, limits = self.total, self.plan.limits
        if found.comparisons < limits.minimum_comparisons:
            return None
        share = found.failures / found.comparisons
        if share > limits.failure_share:
            return f"{share:.1%} of {found.comparisons} runs failed, more than {limits.failure_share:.1%}"
        if found.difference > limits.difference:
            return f"its answers differ by {found.difference:.1%} on average, more than {limits.difference:.1%}"
        slower = (found.latency_ratio or 0.0) > limits.latency_ratio and self.model.run_s > _SLOW_S
        if slower:
            return f"a run takes {found.latency_ratio} times the champion's, more than {limits.latency_ratio}"
        return None


def look(trial: Trial, feeds: Mapping[str, Array], expected: Mapping[str, Array]) -> tuple[float, float]:
    """Run the challenger on a request that the champion answered.

    Returns:
        The mean difference as a share of the champion's size, infinite where a number is missing; and the time in s.
    """
    started = time.perf_counter()
    outputs = trial.model.run(feeds)
    found = max(relative_difference(outputs[name], array) for name, array in expected.items())
    return found, time.perf_counter() - started


def relative_difference(actual: Array, expected: Array) -> float:
    """Return mean |actual - expected| / mean |expected|; 1 for other shapes, infinite where a number is missing.

    Tensors of whole numbers are compared for equality: the share that differs.
    """
    if actual.shape != expected.shape:
        return 1.0
    if expected.dtype.kind != "f":
        return float(np.mean(actual != expected)) if expected.size else 0.0
    known = np.isfinite(expected)
    if not np.isfinite(actual[known]).all():
        return float("inf")
    if not known.any():
        return 0.0
    one, other = actual[known].astype(np.float64), expected[known].astype(np.float64)
    return float(np.mean(np.abs(one - other)) / max(float(np.mean(np.abs(other))), 1e-9))


class Trials:
    """The trials of one process by model; changed on the event loop alone."""

    def __init__(self) -> None:
        self._trials: dict[str, Trial] = {}

    def __bool__(self) -> bool:
        """Return whether anything is tried."""
        return bool(self._trials)

    def get(self, name: str) -> Trial | None:
        """Return the trial of a model."""
        return self._trials.get(name)

    def all(self) -> list[Trial]:
        """Return every trial."""
        return list(self._trials.values())

    def begin(self, trial: Trial) -> None:
        """Begin a trial; one of the same model is replaced."""
        self._trials[trial.plan.name] = trial

    def end(self, name: str) -> Trial | None:
        """Forget a trial, and with it its challenger."""
        return self._trials.pop(name, None)
