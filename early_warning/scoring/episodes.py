"""Episodes against events: how many were warned of, how early, and how many warnings were for nothing."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import Episode, to_ms

from .blocks import Interval, TimeBlocks, bootstrap
from .outcomes import Event

Floats = NDArray[np.float64]
_HITS, _AHEAD, _MISSES, _FALSE, _EPISODES = range(5)
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Episodes and events held against each other.

    Attributes:
        onset_ms: of each event.
        warned: whether it was warned of.
        lead_ms: from the opening to its onset; 0 where it was not warned of.
        opened_ms: of each episode.
        false: whether it met no event.
    """

    onset_ms: NDArray[np.int64]
    warned: NDArray[np.bool_]
    lead_ms: NDArray[np.int64]
    opened_ms: NDArray[np.int64]
    false: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EpisodeCounts:
    """Counts by block of time.

    Attributes:
        sums: events warned of, of these before their onset, events missed, false episodes and all episodes, shape
            ``(blocks, 5)``.
        leads_ms: from opening to onset of each event warned of; negative where the warning came after it.
    """

    sums: Floats
    leads_ms: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EpisodeScore:
    """Figures of a risk's episodes.

    Attributes:
        events: how many there were.
        episodes: how many were opened.
        pod: share of the events that were warned of, probability of detection.
        pod_ahead: share that was warned of before the onset.
        far: share of the episodes that met no event, false alarm ratio.
        csi: hits among hits, misses and false alarms, critical success index.
        lead_median_s: half of the events warned of had a longer lead; negative after the onset; None without any.
        alerts_per_operator_h: episodes per hour of the past and operator.
    """

    events: int
    episodes: int
    pod: Interval
    pod_ahead: Interval
    far: Interval
    csi: Interval
    lead_median_s: float | None
    alerts_per_operator_h: float


def match_episodes(episodes: Iterable[Episode], events: Sequence[Event], horizon_ms: int) -> Matches:
    """Match episodes of one risk with its events.

    An episode meets an event of its place if it stood at some time from a horizon before the onset to the end.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    for episode in episodes:
        opened_ms = to_ms(episode.opened_at)
        closed_ms = int(np.iinfo(np.int64).max) if episode.closed_at is None else to_ms(episode.closed_at)
        spans.setdefault(episode.place, []).append((opened_ms, closed_ms))
    for found in spans.values():
        found.sort()
    met: set[tuple[str, int]] = set()
    leads: list[int | None] = []
    for event in events:
        own = spans.get(event.place, [])
        last = bisect.bisect_right(own, event.end_ms, key=lambda span: span[0])
        hits = [span for span in own[:last] if span[1] >= event.start_ms - horizon_ms]
        met |= {(event.place, opened_ms) for opened_ms, _ in hits}
        leads.append(event.start_ms - hits[0][0] if hits else None)
    opened = [(place, opened_ms) for place, found in spans.items() for opened_ms, _ in found]
    return Matches(
        onset_ms=np.array([event.start_ms for event in events], np.int64),
        warned=np.array([lead is not None for lead in leads], bool),
        lead_ms=np.array([lead or 0 for lead in leads], np.int64),
        opened_ms=np.array([opened_ms for _, opened_ms in opened], np.int64),
        false=np.array([one not in met for one in opened], bool),
    )


def count_episodes(matches: Matches, blocks: TimeBlocks) -> EpisodeCounts:
    """Count by block of time: an event belongs to that of its onset, an episode to that of its opening."""
    onset, opened = blocks.of(matches.onset_ms), blocks.of(matches.opened_ms)
    warned, size = matches.warned, blocks.count
    columns = [onset[warned], onset[warned & (matches.lead_ms > 0)], onset[~warned], opened[matches.false], opened]
    sums = np.stack([np.bincount(numbers, minlength=size) for numbers in columns], axis=1).astype(np.float64)
    return EpisodeCounts(sums, matches.lead_ms[warned])


def months_of(matches: Matches) -> dict[str, dict[str, int]]:
    """Return events, episodes, hits and false alarms by month, ``YYYY-MM`` in UTC."""
    onset, opened = (_months(times) for times in (matches.onset_ms, matches.opened_ms))
    return {
        str(month): {
            "events": int((onset == month).sum()),
            "episodes": int((opened == month).sum()),
            "hits": int((matches.warned & (onset == month)).sum()),
            "false": int((matches.false & (opened == month)).sum()),
        }
        for month in np.unique(np.concatenate([onset, opened]))
    }


def _months(times_ms: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return times_ms.astype("datetime64[ms]").astype("datetime64[M]")


def summarise(counts: EpisodeCounts, *, hours: float, operators: float, known: bool = True) -> EpisodeScore:
    """Return the figures of some counts.

    Args:
        counts: of one risk.
        hours: length of the past.
        operators: on duty at any time.
        known: whether the truth is; otherwise only episodes are counted.
    """
    total = counts.sums.sum(axis=0)
    leads, unknown = counts.leads_ms, Interval(None, None, None)
    return EpisodeScore(
        events=int(total[_HITS] + total[_MISSES]),
        episodes=int(total[_EPISODES]),
        pod=bootstrap(counts.sums, lambda s: s[:, _HITS] / (s[:, _HITS] + s[:, _MISSES])),
        pod_ahead=bootstrap(counts.sums, lambda s: s[:, _AHEAD] / (s[:, _HITS] + s[:, _MISSES])),
        far=bootstrap(counts.sums, lambda s: s[:, _FALSE] / s[:, _EPISODES]) if known else unknown,
        csi=bootstrap(counts.sums, lambda s: s[:, _HITS] / (s[:, _HITS] + s[:, _MISSES] + s[:, _FALSE]))
        if known
        else unknown,
        lead_median_s=float(np.median(leads)) / 1000 if leads.size else None,
        alerts_per_operator_h=float(total[_EPISODES] / hours / operators),
    )
