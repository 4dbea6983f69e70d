"""Temporal operators: a condition over one sign's readings, in event time, with memory that is plain JSON.

A missing reading gives no answer. A silence longer than the sign may be silent makes timers start again; only
``absent`` runs on through it. Nothing here knows the present time: it is handed in.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from contracts import from_ms

from .resolving import COMPARE
from .ruleset import Condition

Memory = dict[str, Any]
MAXIMUM_KEPT = 10_000
NIGHT_COVERAGE = 0.5
"""Share of a night that must have been read for its minimum to be known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a condition says at one instant.

    Attributes:
        state: whether it holds.
        since_ms: since when.
        value: the compared value.
    """

    state: bool
    since_ms: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Watcher:
    """A condition at one place.

    Attributes:
        condition: what is asked.
        threshold: at this place.
        interval_ms: between readings of the sign.
        blind_after_ms: silence after which timers start again.
        zone: local time of nights, hours and seasons.
    """

    condition: Condition
    threshold: float
    interval_ms: int
    blind_after_ms: int
    zone: ZoneInfo

    def watch(self, memory: Memory, time_ms: int, value: float | None) -> tuple[Answer | None, Memory]:
        """Take one instant.

        Args:
            memory: what the last call returned; empty at first. It is not changed.
            time_ms: event time.
            value: the reading, or None where there is no usable one.

        Returns:
            The answer, None where nothing can be said, and the new memory.
        """
        condition = self.condition
        if condition.transform == "absent":
            return self._watch_absence(memory, time_ms, value)
        if value is None:
            return None, memory
        state = dict(memory)
        if time_ms - state.get("last", time_ms) > self.blind_after_ms:
            self._wake(state)
        state["last"] = time_ms
        compared = self._transform(state, time_ms, value)
        answer = None if compared is None else self._decide(state, time_ms, compared)
        return (answer if is_asked(self.condition, time_ms, self.zone) else None), state

    def _wake(self, state: Memory) -> None:
        """Forget what a silence has made unknown; nights outlive a silent day, hits their window."""
        kept = {"night", "last_night", "hits"} if self.condition.transform == "night" else {"hits"}
        if self.condition.transform == "night":
            kept |= {"true_since", "on"}
        for key in set(state) - kept:
            del state[key]

    def _watch_absence(self, memory: Memory, time_ms: int, value: float | None) -> tuple[Answer | None, Memory]:
        last = memory.get("last", time_ms) if value is None else time_ms
        holds = time_ms - last >= self.condition.window_ms
        answer = Answer(holds, last + self.condition.window_ms if holds else time_ms, value)
        return (answer if is_asked(self.condition, time_ms, self.zone) else None), {"last": last}

    def _transform(self, state: Memory, time_ms: int, value: float) -> float | None:
        match self.condition.transform:
            case "rise" | "drop":
                return self._change(state, time_ms, value)
            case "stuck":
                return self._unchanged_ms(state, time_ms, value)
            case "night":
                return self._night_minimum(state, time_ms, value)
        return value

    def _change(self, state: Memory, time_ms: int, value: float) -> float | None:
        start = time_ms - self.condition.window_ms
        history = [pair for pair in state.get("history", []) if pair[0] >= start][-MAXIMUM_KEPT:]
        state["history"] = [*history, [time_ms, value]]
        if not history:
            return None
        earlier = [pair[1] for pair in history]
        return float(value - min(earlier) if self.condition.transform == "rise" else max(earlier) - value)

    def _unchanged_ms(self, state: Memory, time_ms: int, value: float) -> float:
        if "anchor" not in state or abs(value - state["anchor"]) > self.condition.tolerance:
            state["anchor"], state["anchored"] = value, time_ms
        return float(time_ms - state["anchored"])

    def _night_minimum(self, state: Memory, time_ms: int, value: float) -> float | None:
        """Return the minimum of the last whole night; it stands until the next one is over."""
        first, last = self.condition.night or (0, 0)
        local = from_ms(time_ms).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        inside = first <= minute < last if first < last else minute >= first or minute < last
        day = local.date() - timedelta(days=1) if first > last and minute < last else local.date()
        night = state.get("night")
        if inside:
            if night is None or night["day"] != day.isoformat():
                self._close_night(state)
                night = {"day": day.isoformat(), "minimum": value, "count": 0}
            state["night"] = {
                "day": night["day"],
                "minimum": min(night["minimum"], value),
                "count": night["count"] + 1,
            }
        else:
            self._close_night(state)
        known = state.get("last_night")
        over = local.date() - timedelta(days=(minute < last) + (first > last))
        if known is None or known["day"] != over.isoformat():
            state.pop("true_since", None)
            return None
        return float(known["minimum"])

    def _close_night(self, state: Memory) -> None:
        night = state.pop("night", None)
        if night is None:
            return
        first, last = self.condition.night or (0, 0)
        length_ms = ((last - first) % (24 * 60)) * 60_000
        if night["count"] * self.interval_ms < NIGHT_COVERAGE * length_ms:
            return
        known = state.get("last_night")
        if known is not None and date.fromisoformat(night["day"]) - date.fromisoformat(known["day"]) > timedelta(
            days=1
        ):
            state.pop("true_since", None)  # a night is missing between the two: they are not in a row
        state["last_night"] = night

    def _decide(self, state: Memory, time_ms: int, compared: float) -> Answer:
        condition = self.condition
        holds = self._compare(state, compared)
        state["on"] = holds
        if condition.count:
            return self._count(state, time_ms, holds=holds, compared=compared)
        if not holds:
            state.pop("true_since", None)
            return Answer(state=False, since_ms=time_ms, value=compared)
        since = state.setdefault("true_since", time_ms)
        return Answer(time_ms - since >= condition.hold_ms, since, compared)

    def _compare(self, state: Memory, compared: float) -> bool:
        condition = self.condition
        if condition.transform == "stuck":
            return compared >= condition.window_ms
        compare = COMPARE[condition.operator]
        if condition.clear is not None and state.get("on"):
            return compare(compared, condition.clear + (self.threshold - condition.threshold))
        return compare(compared, self.threshold)

    def _count(self, state: Memory, time_ms: int, *, holds: bool, compared: float) -> Answer:
        start = time_ms - self.condition.within_ms
        hits = [hit for hit in state.get("hits", []) if hit > start]
        if holds:
            hits = [*hits, time_ms][-MAXIMUM_KEPT:]
        state["hits"] = hits
        enough = len(hits) >= self.condition.count
        return Answer(enough, hits[-self.condition.count] if enough else time_ms, compared)


def is_asked(condition: Condition, time_ms: int, zone: ZoneInfo) -> bool:
    """Return whether the season and the hours are such that a condition is asked at all."""
    if condition.hours is None and condition.season is None:
        return True
    local = from_ms(time_ms).astimezone(zone)
    minute, day = local.hour * 60 + local.minute, (local.month, local.day)
    in_hours = condition.hours is None or _between(minute, *condition.hours, last_included=False)
    in_season = condition.season is None or _between(day, *condition.season, last_included=True)
    return in_hours and in_season


def _between(value: Any, first: Any, last: Any, *, last_included: bool) -> bool:
    before_end = value <= last if last_included else value < last
    if first <= last:
        return bool(first <= value and before_end)
    return bool(value >= first or before_end)


def hold_together(condition: Condition, time_ms: int, answers: Mapping[str, Answer | None]) -> Answer | None:
    """Return whether all named conditions hold and none of the excluded ones is known to.

    One that surely fails decides; otherwise an answer that is missing leaves the whole unknown. What is excluded must
    be seen to count: a silent source never keeps a law from firing.
    """
    needed = [answers.get(name) for name in condition.steps]
    fails = any(answer is not None and not answer.state for answer in needed)
    excluded = (answers.get(name) for name in condition.unless)
    if fails or any(answer is not None and answer.state for answer in excluded):
        return Answer(state=False, since_ms=time_ms, value=None)
    known = [answer for answer in needed if answer is not None]
    if len(known) < len(needed):
        return None
    return Answer(state=True, since_ms=max(answer.since_ms for answer in known), value=None)


def watch_sequence(
    condition: Condition, memory: Memory, time_ms: int, answers: Mapping[str, Answer | None]
) -> tuple[Answer | None, Memory]:
    """Return whether the named conditions came true in order, within the time the condition allows.

    Each step's last onset is remembered; the sequence holds while the onsets stand in order within the window.
    """
    onsets: dict[str, int] = dict(memory.get("onsets", {}))
    for step in condition.steps:
        answer = answers.get(step)
        if answer is not None and answer.state:
            onsets[step] = answer.since_ms
    memory = {"onsets": onsets}
    if all(answers.get(step) is None for step in condition.steps):
        return None, memory
    times = [onsets.get(step) for step in condition.steps]
    known = [time for time in times if time is not None]
    ordered = len(known) == len(times) and all(a < b for a, b in itertools.pairwise(known))
    holds = ordered and time_ms - known[0] <= condition.within_ms
    return Answer(holds, known[-1] if holds else time_ms, None), memory
