"""What really happened, and what it makes of each instant: did the risk come within the horizon, or was it there?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from contracts import DataError


@dataclass(frozen=True, slots=True)
class Event:
    """One time that a risk came true.

    Attributes:
        risk: id of the rule.
        place: id of the place.
        start_ms: event time of its onset.
        end_ms: event time of its end.
    """

    risk: str
    place: str
    start_ms: int
    end_ms: int


class Outcome(IntEnum):
    """What became of an instant at a place."""

    EXCLUDED = -1
    """The past ends within the horizon: not known."""
    QUIET = 0
    """No onset within the horizon."""
    ONSET = 1
    """An onset within the horizon, (t, t + horizon]."""
    ON = 2
    """The event is on: no onset is left to be foretold, but acting still helps."""


def label_outcomes(
    times_ms: NDArray[np.int64], places: Sequence[str], events: Iterable[Event], horizon_ms: int
) -> NDArray[np.int8]:
    """Return the outcome of every instant and place.

    Args:
        times_ms: instants, rising.
        places: of the rule.
        events: of the rule; others must not be among them.
        horizon_ms: of the rule's probabilities.

    Returns:
        Values of :class:`Outcome`, shape ``(time, places)``.

    Raises:
        DataError: if an event ends before it starts, or is at a place the rule does not know.
    """
    columns = {place: index for index, place in enumerate(places)}
    outcome = np.zeros((times_ms.size, len(places)), np.int8)
    if times_ms.size:
        outcome[times_ms + horizon_ms > times_ms[-1]] = Outcome.EXCLUDED
    known = sorted(events, key=lambda event: event.start_ms)
    for event in known:
        if event.place not in columns or event.end_ms < event.start_ms:
            wrong = "ends before it starts" if event.place in columns else "is at a place without the rule"
            message = f"The event {event} {wrong}. Mend its line in the file of events."
            raise DataError(message)
        ahead = slice(*np.searchsorted(times_ms, [event.start_ms - horizon_ms, event.start_ms]))
        outcome[ahead, columns[event.place]] = Outcome.ONSET
    for event in known:  # an onset ahead does not count while an earlier event is on
        during = slice(
            int(np.searchsorted(times_ms, event.start_ms)), int(np.searchsorted(times_ms, event.end_ms, side="right"))
        )
        outcome[during, columns[event.place]] = Outcome.ON
    return outcome
