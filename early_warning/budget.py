"""Alarm budget: how far the bar rises when too much was opened lately. Statutory rules and health never ask it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .policy import BudgetPolicy

MS = 1000


@dataclass(slots=True)
class AlarmBudget:
    """Openings of the experience layer in the sliding window.

    Attributes:
        policy: the limits.
        openings: event time, risk, place and district of each opening, oldest first.
    """

    policy: BudgetPolicy
    openings: list[tuple[int, str, str, str]] = field(default_factory=list)

    def doublings(self, instant_ms: int, risk: str, place: str, district: str) -> int:
        """Return how many times the odds of the bar are doubled: once for each opening beyond a limit, plus one."""
        since = instant_ms - self.policy.window_s * MS
        recent = [opening for opening in self.openings if opening[0] > since]
        same = sum(1 for _, r, p, _ in recent if (r, p) == (risk, place))
        near = Counter(opening[3] for opening in recent)[district]
        over = [
            count - limit + 1
            for count, limit in ((same, self.policy.per_risk), (near, self.policy.per_district))
            if limit is not None
        ]
        return max(0, *over, 0)

    def spend(self, instant_ms: int, risk: str, place: str, district: str) -> None:
        """Note an opening and forget those outside the window."""
        since = instant_ms - self.policy.window_s * MS
        self.openings = [opening for opening in self.openings if opening[0] > since]
        self.openings.append((instant_ms, risk, place, district))

    def to_json(self) -> list[Any]:
        """Return the state as JSON."""
        return [list(opening) for opening in self.openings]

    def restore(self, state: list[Any]) -> None:
        """Restore :meth:`to_json`."""
        self.openings = [(int(time), risk, place, district) for time, risk, place, district in state]
