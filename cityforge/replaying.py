"""Replay: readings of the past posted as if they came now, in event time, through the public endpoints.

At every step of the clock the readings of that step are posted and then a tick, so that silence is noticed as it would
have been on the day. Not a shortcut: the platform does not know that it is a replay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from contracts import DataError, FactoryError, Reading, ServiceError, format_utc, from_ms, parse_utc, to_ms
from serving import PlatformClient

MAXIMUM_BATCH = 5_000
POLL_S = 0.1
SHOWN_REASONS = 5


class LateReplayError(FactoryError):
    """A replay would come after the platform's own time."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the clock: readings that came since the step before, then the time itself."""

    time_ms: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay posted.

    Attributes:
        steps: steps of the clock.
        posted: readings that were posted.
        accepted: readings that were new to the platform.
        duplicates: readings that it already had.
        revisions: readings that changed a value it had.
        refused: readings that it did not take.
        reasons: why, of the first few.
        late: new readings of a time that the platform's clock had passed before the replay began: archived, but no
            warning comes of them.
        last_sequence: position of the last item in the platform's inbox.
        until: event time of the last step.
        seconds: time it took.
    """

    steps: int
    posted: int
    accepted: int
    duplicates: int
    revisions: int
    refused: int
    reasons: tuple[str, ...]
    late: int
    last_sequence: int
    until: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def plan_steps(
    readings: Sequence[Reading], *, step_s: int, since: datetime | None = None, until: datetime | None = None
) -> list[Step]:
    """Arrange readings into steps of the clock.

    Args:
        readings: in any order.
        step_s: seconds of event time between steps.
        since: first event time to replay; None for the first reading.
        until: event time before which to stop; None for after the last reading.

    Returns:
        Every step from the first to the last, also those in which nothing came.

    Raises:
        DataError: if no reading lies in the span.
    """
    chosen = sorted(
        (one for one in readings if (since is None or one.time >= since) and (until is None or one.time < until)),
        key=lambda one: (one.time, one.sign),
    )
    if not chosen:
        span = f"from {since or 'the beginning'} until {until or 'the end'}"
        message = f"No reading lies {span}. The readings given number {len(readings)}."
        raise DataError(message)
    step_ms = step_s * 1000
    first = to_ms(since) if since is not None else to_ms(chosen[0].time)
    last = to_ms(until) - step_ms if until is not None else to_ms(chosen[-1].time)
    groups = groupby(chosen, key=lambda one: _ceiling(to_ms(one.time), step_ms))
    by_step = {index: tuple(group) for index, group in groups}
    begin, end = _ceiling(first, step_ms), max(_ceiling(last, step_ms), *by_step)
    return [Step(index * step_ms, by_step.get(index, ())) for index in range(begin, end + 1)]


def replay(
    client: PlatformClient,
    steps: Sequence[Step],
    *,
    speed: float | None = None,
    allow_late: bool = False,
    progress: Callable[[int, int, int], None] | None = None,
) -> ReplayResult:
    """Post all steps.

    Args:
        client: of the platform.
        steps: from :func:`plan_steps`.
        speed: seconds of event time per second; None for as fast as the platform takes them.
        allow_late: post readings also where the platform's clock has passed them.
        progress: called after each step with steps done, steps in all and the step's event time in ms.

    Raises:
        LateReplayError: if the platform's clock has passed readings that it does not know yet.
        FactoryError: if the platform refuses or does not answer; what was posted before is safe, and the same
            replay may be started again: it takes up where it stopped, because posting twice changes nothing.
    """
    began = time.monotonic()
    clock_ms = _clock_ms(client.status())
    late = 0
    counts = {"accepted": 0, "duplicates": 0, "revisions": 0}
    posted = last_sequence = refused = 0
    reasons: list[str] = []
    for done, step in enumerate(steps, start=1):
        if speed is not None:
            due_s = (step.time_ms - steps[0].time_ms) / 1000 / speed
            time.sleep(max(0.0, due_s - (time.monotonic() - began)))
        for batch in _batches(step.readings):
            report = client.post_readings(batch)
            if step.time_ms < clock_ms and report.accepted:
                late += report.accepted
                _check_late(step.time_ms, clock_ms, allow_late=allow_late)
            posted += len(batch)
            for name in counts:
                counts[name] += getattr(report, name)
            refused += len(report.refused)
            reasons.extend(f"{one.sign}: {one.reason}" for one in report.refused)
            del reasons[SHOWN_REASONS:]
        last_sequence = client.post_tick(from_ms(step.time_ms))
        if progress is not None:
            progress(done, len(steps), step.time_ms)
    until = format_utc(steps[-1].time_ms)
    return ReplayResult(
        steps=len(steps),
        posted=posted,
        **counts,
        refused=refused,
        reasons=tuple(reasons),
        late=late,
        last_sequence=last_sequence,
        until=until,
        seconds=time.monotonic() - began,
    )


def _clock_ms(status: dict[str, Any]) -> int:
    """Return the event time that the clock of every shard has reached; 0 where one has none yet."""
    clocks = [shard["clock_at"] for shard in status["runtime"]]
    return min((0 if clock is None else to_ms(parse_utc(clock)) for clock in clocks), default=0)


def _check_late(time_ms: int, clock_ms: int, *, allow_late: bool) -> None:
    if allow_late:
        return
    message = (
        f"The platform's clock stands at {format_utc(clock_ms)}: what was measured at {format_utc(time_ms)} is "
        "archived, but comes too late for any warning. Replay into a home of its own "
        "(CITYFORGE_HOME=.cityforge/replay) whose platform was only ever started with "
        "`cityforge serve --clock ticks`, or fill the archive with --allow-late."
    )
    raise LateReplayError(message)


def wait_caught_up(
    client: PlatformClient,
    last_sequence: int,
    *,
    timeout_s: float = 300.0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Wait until the runtime has decided on everything up to a position of the inbox.

    Args:
        client: of the platform.
        last_sequence: from :class:`ReplayResult`.
        timeout_s: time without any progress after which to give up.
        progress: called with the runtime's position and the one waited for.

    Raises:
        ServiceError: if no runtime works, or it stands still for too long.
    """
    best, deadline = -1, time.monotonic() + timeout_s
    while True:
        offset = runtime_offset(client.status())
        if progress is not None:
            progress(min(offset, last_sequence), last_sequence)
        if offset >= last_sequence:
            return
        if offset > best:
            best, deadline = offset, time.monotonic() + timeout_s
        if time.monotonic() > deadline:
            message = (
                f"The runtime stands at item {best} of {last_sequence} and has not moved for {timeout_s:.0f} s. "
                "See `cityforge doctor` and its log in .cityforge/logs/runtime.log."
            )
            raise ServiceError(message)
        time.sleep(POLL_S)


def runtime_offset(status: dict[str, Any]) -> int:
    """Return the position up to which every shard has decided; -1 where none has begun."""
    return min((int(shard["offset"]) for shard in status["runtime"]), default=-1)


def _batches(readings: tuple[Reading, ...]) -> Iterator[tuple[Reading, ...]]:
    for begin in range(0, len(readings), MAXIMUM_BATCH):
        yield readings[begin : begin + MAXIMUM_BATCH]


def _ceiling(time_ms: int, step_ms: int) -> int:
    """Return the number of the step that a time belongs to: step k takes ((k − 1) · step, k · step]."""
    return -(-time_ms // step_ms)
