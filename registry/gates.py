"""Gates: what a version must show before it may answer for the city.

Pure: arrays and figures in, a verdict out. Nothing passes that was not measured: where a gate is on and its evidence
is missing, it fails and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts import DataError, GateResult


class Percentiles(Protocol):
    """A measured latency, such as :class:`gpu.Latency`."""

    @property
    def p95_ms(self) -> float:
        """95th percentile of single runs, milliseconds."""


class GateLimits(BaseModel):
    """What is asked of a version. A limit of None switches its gate off.

    Attributes:
        max_loss_ratio: largest loss divided by the best baseline's loss.
        max_parity_error: largest relative error of the ONNX graph against the model it was exported from.
        max_latency_p95_ms: latency budget of one request, milliseconds.
        interval_level: nominal coverage of the interval that is judged; None judges no interval.
        min_coverage: smallest share of observations inside the interval.
        max_coverage: largest share; an interval that covers everything says nothing.
        min_observations: fewest observations with which coverage may be judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_loss_ratio: float | None = Field(default=0.85, gt=0)
    max_parity_error: float | None = Field(default=1e-5, gt=0)
    max_latency_p95_ms: float | None = Field(default=20.0, gt=0)
    interval_level: float | None = Field(default=0.9, gt=0, lt=1)
    min_coverage: float = Field(default=0.85, ge=0, le=1)
    max_coverage: float = Field(default=0.95, ge=0, le=1)
    min_observations: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> GateLimits:
        if self.min_coverage > self.max_coverage:
            message = f"min_coverage must not exceed max_coverage, were {self.min_coverage} and {self.max_coverage}"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True, eq=False)
class GateEvidence:
    """What was measured on the gate window; None or empty where it was not.

    Attributes:
        loss: the candidate's loss; smaller is better.
        baseline_losses: name → loss of each baseline on the same hours.
        loss_name: what the loss is, such as ``mae``.
        parity_error: see :func:`relative_error`.
        latency: measured on the released graph.
        actual: observed values, shape ``(origin, horizon)``; NaN where nothing was observed or the hour does not count.
        low: lower end of the interval, same shape.
        high: upper end, same shape.
    """

    loss: float | None = None
    baseline_losses: Mapping[str, float] = field(default_factory=dict)
    loss_name: str = "loss"
    parity_error: float | None = None
    latency: Percentiles | None = None
    actual: ArrayLike | None = None
    low: ArrayLike | None = None
    high: ArrayLike | None = None


def judge(evidence: GateEvidence, limits: GateLimits) -> tuple[GateResult, ...]:
    """Return the verdict of every gate that is switched on.

    Raises:
        DataError: if the interval's arrays have different shapes or cross.
    """
    verdict: list[GateResult] = []
    if limits.max_loss_ratio is not None:
        verdict.append(_better_than_baselines(evidence, limits.max_loss_ratio))
    if limits.max_parity_error is not None:
        detail = "relative error of the ONNX graph against the model it was exported from"
        verdict.append(at_most("parity", evidence.parity_error, limits.max_parity_error, detail))
    if limits.max_latency_p95_ms is not None:
        p95_ms = None if evidence.latency is None else evidence.latency.p95_ms
        verdict.append(at_most("latency", p95_ms, limits.max_latency_p95_ms, "p95 of one request in milliseconds"))
    if limits.interval_level is not None:
        verdict.append(_interval_coverage(evidence, limits, limits.interval_level))
    return tuple(verdict)


def at_most(name: str, value: float | None, limit: float, what: str) -> GateResult:
    """Return a gate that a value passes up to and with its limit; None and NaN fail."""
    return _compare(name, value, limit, what, ceiling=True)


def at_least(name: str, value: float | None, limit: float, what: str) -> GateResult:
    """Return a gate that a value passes from its limit on; None and NaN fail."""
    return _compare(name, value, limit, what, ceiling=False)


def relative_error(expected: ArrayLike, actual: ArrayLike) -> float:
    """Return the largest ``|actual - expected| / max(|expected|, 1)``.

    Args:
        expected: the model's output, raw units, any shape.
        actual: the graph's output, the same shape.

    Returns:
        The error; infinite where one is missing and the other is not.

    Raises:
        DataError: if the shapes differ or there is nothing to compare.
    """
    reference, found = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    if reference.shape != found.shape or reference.size == 0:
        message = f"Outputs of shapes {reference.shape} and {found.shape} cannot be compared. Run both on one request."
        raise DataError(message)
    if not np.array_equal(np.isfinite(reference), np.isfinite(found)):
        return math.inf
    known = np.isfinite(reference)
    if not known.any():
        return math.inf
    return float(np.max(np.abs(found[known] - reference[known]) / np.maximum(np.abs(reference[known]), 1.0)))


def _compare(name: str, value: float | None, limit: float, what: str, *, ceiling: bool) -> GateResult:
    asked = f"{'at most' if ceiling else 'at least'} {limit:g} asked"
    if value is None or math.isnan(value):
        return GateResult(name=name, passed=False, value=None, limit=limit, detail=f"Not measured: {what}; {asked}.")
    passed = value <= limit if ceiling else value >= limit
    figure = value if math.isfinite(value) else None  # JSON knows no infinity
    return GateResult(name=name, passed=passed, value=figure, limit=limit, detail=f"{value:.4g} {what}; {asked}.")


def _better_than_baselines(evidence: GateEvidence, limit: float) -> GateResult:
    name = "better_than_baselines"
    usable = {key: loss for key, loss in evidence.baseline_losses.items() if math.isfinite(loss) and loss > 0}
    if evidence.loss is None or not usable or len(usable) < len(evidence.baseline_losses):
        return at_most(name, None, limit, f"{evidence.loss_name} of the candidate and of every baseline")
    best = min(usable, key=lambda key: usable[key])
    what = (
        f"times the {evidence.loss_name} of the best baseline "
        f"({evidence.loss_name} {evidence.loss:.4g}, {best} {usable[best]:.4g})"
    )
    return at_most(name, evidence.loss / usable[best], limit, what)


def _interval_coverage(evidence: GateEvidence, limits: GateLimits, level: float) -> GateResult:
    name, asked = "interval_coverage", f"{limits.min_coverage:.0%} to {limits.max_coverage:.0%} asked"
    if evidence.actual is None or evidence.low is None or evidence.high is None:
        return at_least(name, None, limits.min_coverage, f"coverage of the {level:.0%} interval")
    actual, low, high = (np.asarray(values, np.float64) for values in (evidence.actual, evidence.low, evidence.high))
    if not actual.shape == low.shape == high.shape:
        message = f"Observations {actual.shape} and interval {low.shape}, {high.shape} must have one shape."
        raise DataError(message)
    counted = np.isfinite(actual)
    observations = int(counted.sum())
    if observations < limits.min_observations:
        what = f"coverage on {observations} observations; at least {limits.min_observations} are needed"
        return at_least(name, None, limits.min_coverage, what)
    if not np.all(low[counted] <= high[counted]):
        message = "The interval crosses itself or holds NaN where a value was observed. Give low <= high everywhere."
        raise DataError(message)
    inside = (low <= actual) & (actual <= high)
    coverage = float(inside[counted].mean())
    limit = limits.min_coverage if coverage < level else limits.max_coverage
    detail = f"The {level:.0%} interval covers {coverage:.1%} of {observations} observations; {asked}."
    passed = limits.min_coverage <= coverage <= limits.max_coverage
    return GateResult(name=name, passed=passed, value=coverage, limit=limit, detail=detail)
