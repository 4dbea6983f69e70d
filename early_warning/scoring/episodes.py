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


def count_episodes(
    episodes: Iterable[Episode], events: Sequence[Event], horizon_ms: int, blocks: TimeBlocks
) -> EpisodeCounts:
    """Match episodes of one risk with its events.

    An episode meets an event of its place if it stood at some time from a horizon before the onset to the end. An event
    belongs to the block of its onset, a false episode to that of its opening.
    """
    sums = np.zeros((blocks.count, 5))
    spans: dict[str, list[tuple[int, int]]] = {}
    for episode in episodes:
        opened_ms = to_ms(episode.opened_at)
        closed_ms = int(np.iinfo(np.int64).max) if episode.closed_at is None else to_ms(episode.closed_at)
        spans.setdefault(episode.place, []).append((opened_ms, closed_ms))
    met: set[tuple[str, int]] = set()
    leads = []
    for found in spans.values():
        found.sort()
    for event in events:
        own = spans.get(event.place, [])
        last = bisect.bisect_right(own, event.end_ms, key=lambda span: span[0])
        hits = [span for span in own[:last] if span[1] >= event.start_ms - horizon_ms]
        met |= {(event.place, opened_ms) for opened_ms, _ in hits}
        block = int(blocks.of(np.array([event.start_ms]))[0])
        sums[block, _HITS if hits else _MISSES] += 1
        if hits:
            leads.append(event.start_ms - hits[0][0])
            sums[block, _AHEAD] += leads[-1] > 0
    for place, found in spans.items():
        number = blocks.of(np.array([opened_ms for opened_ms, _ in found]))
        wrong = np.array([(place, opened_ms) not in met for opened_ms, _ in found])
        np.add.at(sums[:, _EPISODES], number, 1)
        np.add.at(sums[:, _FALSE], number[wrong], 1)
    return EpisodeCounts(sums, np.array(leads, np.int64))


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
