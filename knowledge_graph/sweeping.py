"""Temporal operators over many places at once: the same answers as :mod:`knowledge_graph.conditions`, place by place.

A backtest asks each condition millions of times. Here one instant of all places is a handful of array operations; what
:class:`Watcher` keeps in JSON for one place is an array over places. Tests hold the two side by side.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from contracts import from_ms

from .conditions import NIGHT_COVERAGE, is_asked
from .resolving import COMPARE
from .ruleset import Condition

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Flags = NDArray[np.bool_]
NEVER = np.iinfo(np.int64).min // 2
"""In place of a time that is not known."""
_NO_DAY = -1


@dataclass(frozen=True, slots=True)
class Answers:
    """What a condition says at one instant, one entry for each place.

    Attributes:
        known: whether anything can be said.
        state: whether it holds; False where nothing is known.
        since_ms: since when it holds; meaningless where it does not.
    """

    known: Flags
    state: Flags
    since_ms: Times


class SweptCondition:
    """One condition at many places.

    Args:
        condition: what is asked.
        thresholds: by place.
        interval_ms: between readings of the sign, by place.
        blind_after_ms: silence after which timers start again, by place.
        there: whether the place has the sign at all.
        zone: local time of nights, hours and seasons.
    """

    def __init__(
        self,
        condition: Condition,
        thresholds: Floats,
        *,
        interval_ms: Times,
        blind_after_ms: Times,
        there: Flags,
        zone: ZoneInfo,
    ) -> None:
        self.condition = condition
        self._thresholds = thresholds
        self._interval_ms = interval_ms
        self._blind_after_ms = blind_after_ms
        self._there = there
        self._zone = zone
        self.reset()

    def reset(self) -> None:
        """Forget everything, as a rule does on a day it does not apply."""
        places = self._thresholds.size
        self._last = np.full(places, NEVER)
        self._true_since = np.full(places, NEVER)
        self._on = np.zeros(places, bool)
        self._history: deque[tuple[int, Floats]] = deque()
        self._anchor = np.full(places, np.nan)
        self._anchored = np.full(places, NEVER)
        self._hits: deque[tuple[int, Flags]] = deque()
        self._hit_count = np.zeros(places, np.int64)
        self._night_day = np.full(places, _NO_DAY)
        self._night_minimum = np.full(places, np.nan)
        self._night_count = np.zeros(places, np.int64)
        self._over_day = np.full(places, _NO_DAY)
        self._over_minimum = np.full(places, np.nan)

    def watch(self, time_ms: int, values: Floats) -> Answers:
        """Take one instant.

        Args:
            time_ms: event time.
            values: readings in the sign's unit, NaN where there is no usable one, shape ``(places,)``.
        """
        asked = is_asked(self.condition, time_ms, self._zone)
        if self.condition.transform == "absent":
            return self._watch_absence(time_ms, values, asked=asked)
        heard = np.isfinite(values) & self._there
        woken = heard & (self._last != NEVER) & (time_ms - self._last > self._blind_after_ms)
        self._wake(woken)
        self._last[heard] = time_ms
        compared, known = self._transform(time_ms, values, heard)
        answers = self._decide(time_ms, compared, known)
        return answers if asked else Answers(np.zeros_like(known), answers.state & False, answers.since_ms)

    def _wake(self, woken: Flags) -> None:
        if not woken.any():
            return
        if self.condition.transform != "night":
            self._true_since[woken] = NEVER
            self._on[woken] = False
        self._anchor[woken] = np.nan
        for _, values in self._history:
            values[woken] = np.nan

    def _watch_absence(self, time_ms: int, values: Floats, *, asked: bool) -> Answers:
        heard = np.isfinite(values) | (self._last == NEVER)
        self._last[heard] = time_ms
        state = (time_ms - self._last >= self.condition.window_ms) & self._there & asked
        return Answers(self._there & asked, state, self._last + self.condition.window_ms)

    def _transform(self, time_ms: int, values: Floats, heard: Flags) -> tuple[Floats, Flags]:
        match self.condition.transform:
            case "rise" | "drop":
                return self._change(time_ms, values, heard)
            case "stuck":
                moved = heard & ~(np.abs(values - self._anchor) <= self.condition.tolerance)
                self._anchor[moved], self._anchored[moved] = values[moved], time_ms
                return (time_ms - self._anchored).astype(np.float64), heard
            case "night":
                return self._night(time_ms, values, heard)
        return values, heard

    def _change(self, time_ms: int, values: Floats, heard: Flags) -> tuple[Floats, Flags]:
        start = time_ms - self.condition.window_ms
        while self._history and self._history[0][0] < start:
            self._history.popleft()
        rising = self.condition.transform == "rise"
        extreme = np.full(values.size, np.nan)
        for _, earlier in self._history:
            extreme = np.fmin(extreme, earlier) if rising else np.fmax(extreme, earlier)
        self._history.append((time_ms, np.where(heard, values, np.nan)))
        return (values - extreme if rising else extreme - values), heard & np.isfinite(extreme)

    def _night(self, time_ms: int, values: Floats, heard: Flags) -> tuple[Floats, Flags]:
        first, last = self.condition.night or (0, 0)
        local = from_ms(time_ms).astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        inside = first <= minute < last if first < last else minute >= first or minute < last
        day = local.date() - timedelta(days=1) if first > last and minute < last else local.date()
        number = day.toordinal()
        if inside:
            new = heard & (self._night_day != number)
            self._close_night(new)
            self._night_day[new], self._night_minimum[new], self._night_count[new] = number, np.inf, 0
            self._night_minimum[heard] = np.minimum(self._night_minimum[heard], values[heard])
            self._night_count[heard] += 1
        else:
            self._close_night(heard)
        over = (local.date() - timedelta(days=(minute < last) + (first > last))).toordinal()
        current = self._over_day == over
        self._true_since[heard & ~current] = NEVER
        return self._over_minimum, heard & current

    def _close_night(self, which: Flags) -> None:
        first, last = self.condition.night or (0, 0)
        length_ms = ((last - first) % (24 * 60)) * 60_000
        ended = which & (self._night_day != _NO_DAY)
        whole = ended & ~(self._night_count * self._interval_ms < NIGHT_COVERAGE * length_ms)
        gap = whole & (self._over_day != _NO_DAY) & (self._night_day - self._over_day > 1)
        self._true_since[gap] = NEVER
        self._over_day[whole] = self._night_day[whole]
        self._over_minimum[whole] = self._night_minimum[whole]
        self._night_day[ended] = _NO_DAY

    def _decide(self, time_ms: int, compared: Floats, known: Flags) -> Answers:
        condition = self.condition
        holds = self._compare(compared) & known
        self._on[known] = holds[known]
        if condition.count:
            return self._count(time_ms, holds, known)
        self._true_since[known & ~holds] = NEVER
        self._true_since[holds & (self._true_since == NEVER)] = time_ms
        state = holds & (time_ms - self._true_since >= condition.hold_ms)
        return Answers(known, state, self._true_since.copy())

    def _compare(self, compared: Floats) -> Flags:
        condition = self.condition
        if condition.transform == "stuck":
            return np.asarray(compared >= condition.window_ms)
        compare: Any = COMPARE[condition.operator]  # operators of the standard library: arrays answer them too
        limit = self._thresholds
        if condition.clear is not None:
            limit = np.where(self._on, condition.clear + (self._thresholds - condition.threshold), limit)
        with np.errstate(invalid="ignore"):
            return np.asarray(compare(compared, limit))

    def _count(self, time_ms: int, holds: Flags, known: Flags) -> Answers:
        start = time_ms - self.condition.within_ms
        while self._hits and self._hits[0][0] <= start:
            self._hit_count -= self._hits.popleft()[1]
        if holds.any():
            self._hits.append((time_ms, holds))
            self._hit_count += holds
        enough = known & (self._hit_count >= self.condition.count)
        return Answers(known, enough, self._since_of_hits(time_ms, enough))

    def _since_of_hits(self, time_ms: int, enough: Flags) -> Times:
        since = np.full(enough.size, time_ms)
        if not enough.any():
            return since
        seen = np.zeros(enough.size, np.int64)
        for hit_ms, hit in reversed(self._hits):
            reached = enough & hit & (seen == self.condition.count - 1)
            since[reached] = hit_ms
            seen += hit
            if (seen[enough] >= self.condition.count).all():
                break
        return since


class SweptSequence:
    """A ``sequence`` at many places: its steps came true in this order, within its time."""

    def __init__(self, condition: Condition, places: int) -> None:
        self.condition = condition
        self._places = places
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._onsets = {step: np.full(self._places, NEVER) for step in self.condition.steps}

    def watch(self, time_ms: int, answers: Mapping[str, Answers]) -> Answers:
        """Take one instant of the steps' answers."""
        known = np.zeros(self._places, bool)
        for step, onsets in self._onsets.items():
            answer = answers.get(step)
            if answer is not None:
                known |= answer.known
                onsets[answer.state] = answer.since_ms[answer.state]
        times: Sequence[Times] = list(self._onsets.values())
        holds = known & np.logical_and.reduce([time != NEVER for time in times])
        for earlier, later in itertools.pairwise(times):
            holds &= earlier < later
        holds &= time_ms - times[0] <= self.condition.within_ms
        return Answers(known, holds, np.where(holds, times[-1], time_ms))


class SweptTogether:
    """An ``every`` at many places: all its entries hold, and none of those it excludes is known to."""

    def __init__(self, condition: Condition, places: int) -> None:
        self.condition = condition
        self._places = places

    def watch(self, time_ms: int, answers: Mapping[str, Answers]) -> Answers:
        """Take one instant of the entries' answers; it remembers nothing."""
        fails = np.zeros(self._places, bool)
        sure = np.ones(self._places, bool)
        since = np.full(self._places, NEVER)
        for name in self.condition.steps:
            answer = answers[name]
            fails |= answer.known & ~answer.state
            sure &= answer.known
            since = np.maximum(since, answer.since_ms)
        for name in self.condition.unless:
            fails |= answers[name].known & answers[name].state
        state = sure & ~fails
        return Answers(sure | fails, state, np.where(state, since, time_ms))
