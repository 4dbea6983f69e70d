"""History: the newest readings of one sign on its regular grid.

Step ``k`` of the grid ends at ``k * interval`` and holds the last usable reading in the interval before it (its end
included), so that an instant never sees a reading of its future.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class History:
    """Readings by grid step.

    Attributes:
        interval_ms: length of a step.
        capacity: most steps that are kept: a reading far ahead pushes the oldest out, one further back is not taken.
        first: the step of ``values[0]``.
        values: one value a step; None where missing.
        lags: how long before its step's end a value was read, where that is not zero.
        masked: steps whose values models are not shown.
    """

    interval_ms: int
    capacity: int
    first: int = 0
    values: list[float | None] = field(default_factory=list)
    lags: dict[int, int] = field(default_factory=dict)
    masked: set[int] = field(default_factory=set)

    def step_of(self, time_ms: int) -> int:
        """Return the step that a reading of this event time belongs to."""
        return -(-time_ms // self.interval_ms)

    def put(self, time_ms: int, value: float | None) -> None:
        """Keep a reading, unless a later one of the same step is known; None takes back the one of its time."""
        step = self.step_of(time_ms)
        lag = step * self.interval_ms - time_ms
        known = self.get(step)
        if known is not None and self.lags.get(step, 0) < lag:
            return
        if value is None and (known is None or self.lags.get(step, 0) != lag):
            return
        if not self._reach(step):
            return
        self.values[step - self.first] = value
        self.lags.pop(step, None)
        if lag and value is not None:
            self.lags[step] = lag

    def _reach(self, step: int) -> bool:
        """Make room for a step; return whether there is."""
        newest = self.first + len(self.values) - 1
        if not self.values or step - newest >= self.capacity:
            self.first, self.values, newest = step, [None], step
        if newest - step >= self.capacity:
            return False
        if step < self.first:
            self.values[:0] = [None] * (self.first - step)
            self.first = step
        self.values.extend([None] * (step - newest))
        self.trim(max(step, newest) - self.capacity + 1)
        return True

    def holds(self, time_ms: int, value: float) -> bool:
        """Return whether this very reading is kept already."""
        step = self.step_of(time_ms)
        return self.get(step) == value and self.time_of(step) == time_ms

    def get(self, step: int) -> float | None:
        """Return the value of a step; None where missing."""
        index = step - self.first
        return self.values[index] if 0 <= index < len(self.values) else None

    def time_of(self, step: int) -> int:
        """Return the event time of the value of a step."""
        return step * self.interval_ms - self.lags.get(step, 0)

    def window(self, step: int, count: int) -> NDArray[np.float32]:
        """Return the ``count`` values that end at a step, NaN where missing or masked, shape ``(time,)``."""
        start = step - count + 1
        shown = np.full(count, np.nan, dtype=np.float32)
        low, high = max(start, self.first), min(step + 1, self.first + len(self.values))
        if low < high:
            shown[low - start : high - start] = self.values[low - self.first : high - self.first]
        shown[[k - start for k in self.masked if start <= k <= step]] = np.nan
        return shown

    def trim(self, step: int) -> None:
        """Forget everything before a step."""
        surplus = min(step - self.first, len(self.values))
        if surplus <= 0:
            return
        del self.values[:surplus]
        self.first += surplus
        self.lags = {k: lag for k, lag in self.lags.items() if k >= step}
        self.masked = {k for k in self.masked if k >= step}

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "first": self.first,
            "values": list(self.values),
            "lags": sorted([k, lag] for k, lag in self.lags.items()),
            "masked": sorted(self.masked),
        }

    @classmethod
    def from_json(cls, interval_ms: int, capacity: int, state: dict[str, Any]) -> History:
        """Restore :meth:`to_json`."""
        return cls(
            interval_ms,
            capacity,
            state["first"],
            list(state["values"]),
            {int(k): int(lag) for k, lag in state["lags"]},
            set(state["masked"]),
        )
