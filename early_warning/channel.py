"""Channel: everything the engine remembers about one sign, and how it judges a reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from contracts import Direction, Forecast, ForecastSpec, Quality, Sign

from .anomaly import Scores, accumulate, p_value, score
from .arrays import pack_array, unpack_array
from .calibration import LARGEST, SMALLEST, CalibrationState, Quantiles, fitting, issue, learn_steps, learn_tail
from .history import History
from .policy import WarningPolicy

MS = 1000
MAXIMUM_AHEAD = 100_000
"""Steps that readings may run ahead of the instants decided."""


@dataclass(frozen=True, eq=False)
class Issued:
    """A calibrated forecast that waits for its truth.

    Attributes:
        origin_ms: the instant it was issued at.
        rows: quantiles of every step and of the extremes, shape ``(horizon + 2, quantile)``.
        learnable: whether calibration may learn from it: not if it was issued while the sign was frozen.
    """

    origin_ms: int
    rows: Quantiles
    learnable: bool

    @property
    def horizon(self) -> int:
        """How many steps it covers."""
        return len(self.rows) - 2

    @cached_property
    def packed(self) -> list[Any]:
        """It as JSON; it is written at every instant until it is over."""
        return [self.origin_ms, pack_array(self.rows), self.learnable]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reading as judged at an instant.

    Attributes:
        time_ms: its event time.
        value: in the sign's unit.
        late: whether it came after its own instant had been decided.
        score: its anomaly score; None without a forecast issued before it.
        shock: p-value of its score by direction; empty without a score.
        drift: p-value of the cumulative sum by direction; empty without a score, and for a late reading.
        calm: how many calm scores are known to be less extreme than its own, by direction.
        expected: lowest quantile, median and highest quantile that were issued for it; None without a forecast.
    """

    time_ms: int
    value: float
    late: bool
    score: float | None = None
    shock: dict[Direction, float] = field(default_factory=dict)
    drift: dict[Direction, float] = field(default_factory=dict)
    calm: dict[Direction, int] = field(default_factory=dict)
    expected: tuple[float, float, float] | None = None

    @property
    def surprise(self) -> float:
        """The p-value of its score in either direction; 1 without a score."""
        return self.shock.get(Direction.BOTH, 1.0)


class Channel:
    """The memory of one sign.

    Args:
        sign: the sign.
        spec: what its forecaster needs; None for a sign that none forecasts.
        policy: the engine's policy.
    """

    def __init__(self, sign: Sign, spec: ForecastSpec | None, policy: WarningPolicy) -> None:
        self.sign = sign
        self.spec = spec
        self.policy = policy
        self.interval_ms = sign.interval_s * MS
        self._blind_steps = -(-sign.blind_after_s // sign.interval_s)
        self._needed = max(spec.context + spec.horizon if spec else 1, self._blind_steps + 1)
        self.history = History(self.interval_ms, self._needed + MAXIMUM_AHEAD)
        self.calibration: CalibrationState | None = None
        self.pending: list[Issued] = []
        self.scores: Scores = np.empty(0, np.float32)
        self.judged = 0
        self.records = (0.0, 0.0)
        self.sums = (0.0, 0.0)
        self.past_sums: tuple[Scores, Scores] = (np.empty(0, np.float32), np.empty(0, np.float32))
        self.heard_ms: int | None = None
        self.judged_ms: int | None = None
        self.frozen_ms: int | None = None
        self.quarantined_since_ms: int | None = None
        self.late: list[tuple[int, float]] = []
        self._warned = False
        self.sightings: tuple[Sighting, ...] = ()

    def accept(self, time_ms: int, value: float | None, quality: Quality | None, *, decided_ms: int | None) -> None:
        """Take in a reading; one of an instant already decided is kept and judged at the next."""
        usable = None if quality is Quality.BAD else value
        is_late = decided_ms is not None and self.history.step_of(time_ms) * self.interval_ms <= decided_ms
        if is_late and decided_ms is not None and time_ms <= decided_ms - self._needed * self.interval_ms:
            return  # no context and no truth can need it
        if usable is not None and self.history.holds(time_ms, usable):
            return
        self.history.put(time_ms, usable)
        if usable is None:
            return
        self.heard_ms = time_ms if self.heard_ms is None else min(time_ms, self.heard_ms)
        if is_late:
            self.late.append((time_ms, usable))

    def is_due(self, instant_ms: int) -> bool:
        """Return whether the sign has a step that ends at an instant."""
        return instant_ms % self.interval_ms == 0

    def is_blind(self, instant_ms: int) -> bool:
        """Return whether the sign was heard before, but not within the time after which it is blind."""
        since_ms = instant_ms - self.sign.blind_after_s * MS
        if self.heard_ms is None or self.heard_ms > since_ms:
            return False
        newest = instant_ms // self.interval_ms
        steps = range(newest, newest - self._blind_steps - 1, -1)
        return not any(self.history.get(k) is not None and self.history.time_of(k) > since_ms for k in steps)

    def screen(self, instant_ms: int, *, warned: bool = False) -> None:
        """Judge the readings that are new at an instant, and mask the newest if it is too unlikely to be normal.

        Args:
            instant_ms: the instant.
            warned: whether an episode of the sign is open: what it was opened for is not told again as drift.
        """
        self._warned = warned
        step = instant_ms // self.interval_ms
        value = self.history.get(step)
        found = [self._judge(time, late_value, late=True) for time, late_value in sorted(self.late)]
        if value is not None:
            found.append(self._judge(self.history.time_of(step), value, late=False))
        self.sightings = tuple(found)
        self.history.masked.discard(step)
        if self.current is not None:
            self._quarantine(step, instant_ms, self.current)

    def _judge(self, time_ms: int, value: float, *, late: bool) -> Sighting:
        issued = self._issued_before(time_ms)
        if issued is None or self.spec is None:
            return Sighting(time_ms, value, late)
        row = issued.rows[self._row(issued, time_ms)]
        newest = score(row, self.spec.quantiles, value)
        shock = {direction: p_value(self.scores, newest, direction, self.policy.anomaly) for direction in Direction}
        drift = {} if late or self._warned else self._drift(newest)
        expected = (float(row[0]), float(row[self.spec.quantiles.index(0.5)]), float(row[-1]))
        calm = {direction: self._calm(newest, direction) for direction in Direction}
        return Sighting(time_ms, value, late, newest, shock, drift, calm, expected)

    def _calm(self, newest: float, direction: Direction) -> int:
        """Return how many calm scores were less extreme: all ever judged, if it breaks their record."""
        low, high = self.records
        broken = {
            Direction.LOW: newest < low,
            Direction.HIGH: newest > high,
            Direction.BOTH: abs(newest) > max(-low, high),
        }
        return self.judged if broken[direction] else self.scores.size

    def _drift(self, newest: float) -> dict[Direction, float]:
        sums = self._accumulate(newest)
        low, high = (
            p_value(past, now, Direction.HIGH, self.policy.anomaly)
            for past, now in zip(self.past_sums, sums, strict=True)
        )
        return {Direction.LOW: low, Direction.HIGH: high, Direction.BOTH: min(1.0, 2 * min(low, high))}

    def _accumulate(self, newest: float) -> tuple[float, float]:
        policy = self.policy.anomaly
        return accumulate(self.sums, newest, slack=policy.drift_slack, clip=policy.drift_clip)

    def _issued_before(self, time_ms: int) -> Issued | None:
        covering = [
            issued
            for issued in self.pending
            if issued.origin_ms < time_ms and self._row(issued, time_ms) < issued.horizon
        ]
        return covering[-1] if covering else None

    def _row(self, issued: Issued, time_ms: int) -> int:
        return self.history.step_of(time_ms) - issued.origin_ms // self.interval_ms - 1

    def _quarantine(self, step: int, instant_ms: int, current: Sighting) -> None:
        since = self.quarantined_since_ms
        limit_ms = self.policy.anomaly.quarantine_s * MS
        if current.surprise >= self.policy.anomaly.quarantine_p:
            self.quarantined_since_ms = None
        elif since is None or instant_ms - since < limit_ms:
            self.quarantined_since_ms = instant_ms if since is None else since
            self.history.masked.add(step)
        else:
            self.history.masked = {k for k in self.history.masked if k * self.interval_ms < since}

    @property
    def is_quarantined(self) -> bool:
        """Whether the newest judged reading is masked."""
        return self.quarantined_since_ms is not None

    def accept_as_normal(self, instant_ms: int) -> None:
        """Show models the masked run of readings from now on: a person said that nothing is wrong with it."""
        since = self.quarantined_since_ms
        if since is not None:
            self.history.masked = {k for k in self.history.masked if k * self.interval_ms < since}
            self.quarantined_since_ms = min(since, instant_ms - self.policy.anomaly.quarantine_s * MS)

    @property
    def current(self) -> Sighting | None:
        """The reading of the instant being decided; None where it is missing."""
        return next((sighting for sighting in self.sightings if not sighting.late), None)

    def fresh(self) -> Sighting | None:
        """Return the newest reading not judged at an earlier instant: of the instant itself, or a late one."""
        if self.current is not None:
            return self.current
        late = max(self.sightings, key=lambda sighting: sighting.time_ms, default=None)
        newer = late is not None and (self.judged_ms is None or late.time_ms > self.judged_ms)
        return late if newer else None

    def learn(self, instant_ms: int, *, frozen: bool) -> None:
        """Learn from the truth of an instant, unless frozen; then remember the judged scores."""
        step = instant_ms // self.interval_ms
        truth = self.history.get(step)
        current = self.current
        if frozen or step in self.history.masked:
            self.frozen_ms = instant_ms
            self.sums = (0.0, 0.0)  # a chart that has signalled starts anew (Page 1954)
        elif truth is not None and self.calibration is not None:
            self._learn_steps(step, truth)
            self._learn_extremes(step)
            if current is not None and current.score is not None:
                self._remember(current.score)

    def _learn_steps(self, step: int, truth: float) -> None:
        assert self.calibration is not None and self.spec is not None  # noqa: S101, PT018 - the caller checked
        rows, quantiles = [], []
        for issued in self.pending:
            row = step - issued.origin_ms // self.interval_ms - 1
            if issued.learnable and 0 <= row < issued.horizon:
                rows.append(row)
                quantiles.append(issued.rows[row])
        if rows:
            self.calibration = learn_steps(
                self.calibration,
                rows,
                self.spec.quantiles,
                issued=np.stack(quantiles),
                truth=truth,
                policy=self.policy.calibration,
            )

    def _learn_extremes(self, step: int) -> None:
        assert self.calibration is not None and self.spec is not None  # noqa: S101, PT018 - the caller checked
        for issued in self.pending:
            origin = issued.origin_ms // self.interval_ms
            complete = step - origin == issued.horizon
            thawed = self.frozen_ms is None or self.frozen_ms <= issued.origin_ms
            truths = self.history.window(step, step - origin) if complete and issued.learnable and thawed else None
            if truths is None or np.isnan(truths).any():
                continue
            for row, extreme in ((SMALLEST, float(truths.min())), (LARGEST, float(truths.max()))):
                learned = learn_tail(self.calibration, row, issued.rows[row], extreme)
                self.calibration = learn_steps(
                    learned,
                    [row],
                    self.spec.quantiles,
                    issued=issued.rows[[row]],
                    truth=extreme,
                    policy=self.policy.calibration,
                )

    def _remember(self, newest: float) -> None:
        kept = self.policy.anomaly.scores
        self.judged += 1
        self.records = (min(newest, self.records[0]), max(newest, self.records[1]))
        self.sums = self._accumulate(newest)
        self.scores = np.append(self.scores, np.float32(newest))[-kept:]
        low, high = self.past_sums
        self.past_sums = (
            np.append(low, np.float32(self.sums[0]))[-kept:],
            np.append(high, np.float32(self.sums[1]))[-kept:],
        )

    def issue(self, forecast: Forecast, *, frozen: bool) -> Issued:
        """Calibrate a forecast and let it wait for its truth."""
        state = fitting(self.calibration, forecast)
        if self.calibration is not None and state is not self.calibration:
            self.pending = []  # the former model's forecasts teach nothing about this one
        self.calibration = state
        issued = Issued(forecast.origin_ms, issue(forecast, state), learnable=not frozen)
        horizon_ms = forecast.values.shape[0] * self.interval_ms
        self.pending = [old for old in self.pending if old.origin_ms > forecast.origin_ms - horizon_ms]
        self.pending.append(issued)
        return issued

    def forget(self, instant_ms: int) -> None:
        """Let go of what an instant has used up: its sightings, and readings that nothing can need again."""
        if self.sightings:
            newest = max(sighting.time_ms for sighting in self.sightings)
            self.judged_ms = newest if self.judged_ms is None else max(newest, self.judged_ms)
        self.late, self.sightings = [], ()
        self.history.trim(instant_ms // self.interval_ms - self._needed)

    def heard_json(self) -> dict[str, Any]:
        """Return as JSON what readings change: it is written with every batch of them, and kept small for that."""
        return {
            "history": self.history.to_json(),
            "heard_ms": self.heard_ms,
            "late": [list(reading) for reading in self.late],
        }

    def judged_json(self) -> dict[str, Any]:
        """Return as JSON what instants and verdicts change, but for the calibration, which others read too."""
        return {
            "pending": [issued.packed for issued in self.pending],
            "scores": pack_array(self.scores),
            "judged": [self.judged, *self.records],
            "sums": list(self.sums),
            "past_sums": [pack_array(past) for past in self.past_sums],
            "times": [self.judged_ms, self.frozen_ms, self.quarantined_since_ms],
        }

    def restore_heard(self, state: dict[str, Any]) -> None:
        """Restore :meth:`heard_json`."""
        self.history = History.from_json(self.interval_ms, self.history.capacity, state["history"])
        self.heard_ms = state["heard_ms"]
        self.late = [(int(time), float(value)) for time, value in state["late"]]

    def restore_judged(self, state: dict[str, Any], calibration: dict[str, Any] | None) -> None:
        """Restore :meth:`judged_json` and the calibration; forecasts of another shape than now are dropped."""
        self.calibration = None if calibration is None else CalibrationState.from_json(calibration)
        waiting = [Issued(origin, unpack_array(rows), learnable) for origin, rows, learnable in state["pending"]]
        shape = (self.spec.horizon + 2, len(self.spec.quantiles)) if self.spec else None
        self.pending = [issued for issued in waiting if issued.rows.shape == shape]
        self.scores = unpack_array(state["scores"])
        self.judged, self.records = state["judged"][0], (state["judged"][1], state["judged"][2])
        self.sums = (state["sums"][0], state["sums"][1])
        self.past_sums = (unpack_array(state["past_sums"][0]), unpack_array(state["past_sums"][1]))
        self.judged_ms, self.frozen_ms, self.quarantined_since_ms = state["times"]
