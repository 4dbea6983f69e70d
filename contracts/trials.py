"""Trials: a challenger beside the champion, on the same requests, until a person decides or it regresses."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .places import IDENTIFIER
from .releases import SHA256

TRIAL_START, TRIAL_STOP, TRIAL_REPORT = "trial.start", "trial.stop", "trial.report"
"""What the audit calls the begin, the end and the findings of a trial; its subject is the model's name."""


class TrialLimits(BaseModel):
    """What ends a trial without a person.

    Attributes:
        difference: mean difference to the champion's answers, as a share of their size.
        failure_share: runs that failed, or gave no number where the champion gave one.
        latency_ratio: time of one run, compared with the champion's.
        minimum_comparisons: before this many, only a failure to open ends a trial.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    difference: float = Field(default=0.5, gt=0)
    failure_share: float = Field(default=0.01, ge=0, le=1)
    latency_ratio: float = Field(default=3.0, gt=0)
    minimum_comparisons: int = Field(default=50, ge=1)


class TrialPlan(BaseModel):
    """What is tried.

    Attributes:
        name: of the model.
        version: of the challenger.
        sha256: of its file.
        canary_share: share of requests that the challenger answers; 0 only looks on. Alarms are never among them.
        limits: what ends it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=IDENTIFIER)
    version: int = Field(ge=1)
    sha256: str = Field(pattern=SHA256)
    canary_share: float = Field(default=0.0, ge=0, le=0.5)
    limits: TrialLimits = TrialLimits()


class TrialReport(BaseModel):
    """What a process found since its last report.

    Attributes:
        version: of the challenger.
        champion: version that it was compared with; 0 before the first comparison.
        comparisons: requests that both answered.
        failures: of these, those where the challenger failed or gave no number where the champion gave one.
        canaried: requests that the challenger answered.
        difference_sum: sum over comparisons of the mean difference, as a share of the champion's size.
        difference_worst: the largest of them.
        latency_ratio: time of one run of one row, compared with the champion's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    champion: int = 0
    comparisons: int = 0
    failures: int = 0
    canaried: int = 0
    difference_sum: float = 0.0
    difference_worst: float = 0.0
    latency_ratio: float | None = None

    @property
    def difference(self) -> float:
        """The mean difference, as a share of the champion's size."""
        return self.difference_sum / max(self.comparisons - self.failures, 1)

    def joined(self, other: TrialReport) -> TrialReport:
        """Return both findings as one."""
        return TrialReport(
            version=other.version,
            champion=other.champion or self.champion,
            comparisons=self.comparisons + other.comparisons,
            failures=self.failures + other.failures,
            canaried=self.canaried + other.canaried,
            difference_sum=self.difference_sum + other.difference_sum,
            difference_worst=max(self.difference_worst, other.difference_worst),
            latency_ratio=self.latency_ratio if other.latency_ratio is None else other.latency_ratio,
        )
