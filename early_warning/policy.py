"""Policy: every number of the engine that is a choice, in one place, as data.

Not the veterans' knowledge: costs, losses and thresholds of a risk stand in the rules.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from contracts import UtcTime

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class CalibrationPolicy(BaseModel):
    """How quickly quantiles follow what came true.

    Attributes:
        step: floor of the step, in widths of the forecast's outermost interval.
        first_step: step of the first update; it shrinks with the square root of their number down to ``step``. Both
            were chosen by the interval score on the water main's gate window.
        tail_width: mean excess beyond an outermost quantile, in widths, before any was seen.
        tail_weight: how many excesses that assumption counts for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: float = Field(default=0.02, gt=0, le=1)
    first_step: float = Field(default=0.1, gt=0, le=1)
    tail_width: float = Field(default=0.25, gt=0)
    tail_weight: float = Field(default=20, gt=0)


class AnomalyPolicy(BaseModel):
    """How unlikely a reading is, and what is then kept out of the models' sight.

    Attributes:
        scores: how many past scores are remembered.
        tail_share: share of them that the extreme-value tail is fitted to.
        tail_from: fewest scores for which a tail is fitted; below, the p-value ends at 1 / (n + 1).
        smallest_p: no p-value is said to be smaller.
        drift_slack: what the cumulative sum forgives at each step, in half-widths of the outermost interval.
        drift_clip: the largest score that the cumulative sum counts, in half-widths.
        quarantine_p: a reading less likely than this is masked from the models' context.
        quarantine_s: longest run of masked readings; afterwards the new state counts as normal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: int = Field(default=480, ge=20, le=100_000)
    tail_share: float = Field(default=0.1, gt=0, lt=0.5)
    tail_from: int = Field(default=100, ge=50)
    smallest_p: float = Field(default=1e-9, gt=0, lt=1e-3)
    drift_slack: float = Field(default=0.3, ge=0)
    drift_clip: float = Field(default=1.0, gt=0)
    quarantine_p: float = Field(default=1e-4, ge=0, lt=1)
    quarantine_s: int = Field(default=DAY_S, gt=0)


class BudgetPolicy(BaseModel):
    """How many episodes of the experience layer may open in a window of time before the bar rises.

    Attributes:
        window_s: length of the sliding window: a shift, a day.
        per_risk: openings of one risk at one place in a window; None for no limit.
        per_district: openings of all risks in one district in a window; None for no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_s: int = Field(default=DAY_S, gt=0)
    per_risk: int | None = Field(default=2, ge=1)
    per_district: int | None = Field(default=50, ge=1)


class WarningPolicy(BaseModel):
    """All choices of one shard.

    Attributes:
        rehearse_from: instants before it are not decided at all; their readings are history. None: from the first.
        decide_from: instants before it are rehearsed: forecasts are calibrated and scored, but nothing is opened.
        release: a level is held while the probability stays above this share of its bar.
        incident_s: an episode joins an incident whose last episode opened or ended at most this long ago.
        future_s: a reading whose event time lies further ahead of its receipt is ignored.
        calibration: see :class:`CalibrationPolicy`.
        anomaly: see :class:`AnomalyPolicy`.
        budget: see :class:`BudgetPolicy`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rehearse_from: UtcTime | None = None
    decide_from: UtcTime | None = None
    release: float = Field(default=0.5, gt=0, le=1)
    incident_s: int = Field(default=6 * HOUR_S, ge=0)
    future_s: int = Field(default=DAY_S, ge=0)
    calibration: CalibrationPolicy = CalibrationPolicy()
    anomaly: AnomalyPolicy = AnomalyPolicy()
    budget: BudgetPolicy = BudgetPolicy()
