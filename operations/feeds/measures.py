"""What a camera measures: each measure sees every look and gives one value an interval, or none.

A value stands for its whole interval. What was not seen gives no value: the watch sees to it that an interval in which
too little was looked at is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from early_warning import Presence, PresenceModel, ScoreRatios

from .cameras import CameraSettings, MeasureSettings, load_ratios
from .detector import Sighting
from .geometry import Ground, crosses_between, foot_points, lie_within, side_of
from .tracking import Tracked

MS = 1000
_SPEED_OVER_MS = 1000
_LONGEST_UNSEEN_MS = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One look of one camera.

    Attributes:
        time_ms: event time.
        seen: everything the detector told, weak boxes too; None where nothing had moved and it was not asked again.
        tracked: what is followed.
        brightness: mean of the frame, 0 to 255.
    """

    time_ms: int
    seen: Sighting | None
    tracked: Tracked
    brightness: float


class Measure(Protocol):
    """What every measure does."""

    def see(self, moment: Moment) -> None:
        """Take in a look."""

    def settle(self, end_ms: int) -> float | None:
        """Return the value of the interval that ends, and begin the next; None where there is none."""


def build_measure(camera: CameraSettings, settings: MeasureSettings) -> Measure:
    """Return the measure that settings ask for.

    Raises:
        ConfigurationError: if its likelihood ratios cannot be read.
    """
    chosen = _Choice(settings.labels, camera.zone_of(settings))
    ground = None if camera.ground is None else Ground(camera.ground.points, camera.ground.metres)
    kind = settings.measure
    if kind == "evidence":
        assert settings.presence is not None  # noqa: S101 - checked when it was loaded
        ratios = load_ratios(camera, settings)
        model = PresenceModel(**settings.presence.model_dump())
        return EvidenceMeasure(ratios, model, chosen)
    if kind == "crossings":
        line = next(each for each in camera.line if each.id == settings.line)
        return Crossings(chosen, line.start, line.end, settings.direction)
    if kind == "blocked":
        return BlockedMinutes(chosen, settings.gone_s)
    if kind == "dwell":
        return Dwell(chosen, camera.track.lost_s)
    if kind == "queue_length" and ground is not None:
        return QueueLength(chosen, ground, settings.still_m_s)
    area_m2 = ground.area_m2(chosen.polygon) if kind == "density" and ground is not None and chosen.polygon else 1.0
    return MeanCount(chosen, area_m2)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which boxes count: by label and zone; empty labels mean all, no polygon the whole picture."""

    labels: tuple[str, ...]
    polygon: tuple[tuple[float, float], ...] | None

    def of(self, boxes: NDArray[np.float64], labels: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return which boxes count, shape (box,)."""
        chosen = np.array([not self.labels or label in self.labels for label in labels], bool)
        if self.polygon is not None and len(boxes):
            chosen &= lie_within(foot_points(boxes), self.polygon)
        return chosen

    def tracks(self, tracked: Tracked) -> dict[int, NDArray[np.float64]]:
        """Return the foot point of each confirmed track that counts."""
        chosen = self.of(tracked.boxes, tracked.labels) & (tracked.tracks >= 0)
        feet = foot_points(tracked.boxes)
        return {int(tracked.tracks[index]): feet[index] for index in np.flatnonzero(chosen)}


class MeanCount:
    """Mean number of things in a zone, or their number per square metre."""

    def __init__(self, chosen: _Choice, area_m2: float = 1.0) -> None:
        self._chosen, self._area_m2 = chosen, area_m2
        self._counts: list[int] = []

    def see(self, moment: Moment) -> None:
        """Count those that are followed and in the zone."""
        self._counts.append(len(self._chosen.tracks(moment.tracked)))

    def settle(self, end_ms: int) -> float | None:  # noqa: ARG002 - as every measure
        """Return the mean over the looks."""
        counts, self._counts = self._counts, []
        return float(np.mean(counts)) / self._area_m2 if counts else None


class QueueLength:
    """Metres from the first to the last thing that stands in a zone, the longest of the interval; 0 without a queue."""

    def __init__(self, chosen: _Choice, ground: Ground, still_m_s: float) -> None:
        self._chosen, self._ground, self._still_m_s = chosen, ground, still_m_s
        self._paths: dict[int, list[tuple[int, NDArray[np.float64]]]] = {}
        self._longest: float | None = None

    def see(self, moment: Moment) -> None:
        """Measure the queue as it stands."""
        feet = self._chosen.tracks(moment.tracked)
        self._paths = {track: self._paths.get(track, []) for track in feet}
        standing = []
        for track, foot in feet.items():
            place = self._ground.to_metres(foot[None])[0]
            path = [each for each in self._paths[track] if moment.time_ms - each[0] <= 2 * _SPEED_OVER_MS]
            path.append((moment.time_ms, place))
            self._paths[track] = path
            if self._stands(path):
                standing.append(place)
        length = 0.0
        if len(standing) > 1:
            places = np.array(standing)
            length = float(np.linalg.norm(places[:, None] - places[None], axis=-1).max())
        self._longest = length if self._longest is None else max(self._longest, length)

    def _stands(self, path: list[tuple[int, NDArray[np.float64]]]) -> bool:
        (first_ms, first), (last_ms, last) = path[0], path[-1]
        if last_ms - first_ms < _SPEED_OVER_MS or not np.isfinite(last - first).all():
            return False
        return float(np.linalg.norm(last - first)) / ((last_ms - first_ms) / MS) < self._still_m_s

    def settle(self, end_ms: int) -> float | None:  # noqa: ARG002 - as every measure
        """Return the longest queue."""
        longest, self._longest = self._longest, None
        return longest


class Dwell:
    """Mean seconds that those stayed who left the zone in the interval; no value where nobody left."""

    def __init__(self, chosen: _Choice, lost_s: float) -> None:
        self._chosen, self._lost_ms = chosen, lost_s * MS
        self._since: dict[int, tuple[int, int]] = {}
        self._stays_s: list[float] = []

    def see(self, moment: Moment) -> None:
        """Note who came and who has not been seen for long enough to be gone."""
        for track in self._chosen.tracks(moment.tracked):
            first_ms, _ = self._since.get(track, (moment.time_ms, 0))
            self._since[track] = (first_ms, moment.time_ms)
        for track, (first_ms, last_ms) in list(self._since.items()):
            if moment.time_ms - last_ms > self._lost_ms:
                self._stays_s.append((last_ms - first_ms) / MS)
                del self._since[track]

    def settle(self, end_ms: int) -> float | None:  # noqa: ARG002 - as every measure
        """Return the mean stay."""
        stays, self._stays_s = self._stays_s, []
        return float(np.mean(stays)) if stays else None


class Crossings:
    """How many things crossed a line, each once a way."""

    def __init__(self, chosen: _Choice, start: tuple[float, float], end: tuple[float, float], direction: str) -> None:
        self._chosen, self._start, self._end, self._direction = chosen, start, end, direction
        self._before: dict[int, tuple[int, NDArray[np.float64]]] = {}
        self._count = 0

    def see(self, moment: Moment) -> None:
        """Compare where each thing stood at the last look with where it stands."""
        for track, foot in self._chosen.tracks(moment.tracked).items():
            before = self._before.get(track)
            if before is not None and crosses_between(before[1], foot, self._start, self._end):
                inward = side_of(foot, self._start, self._end) > 0
                self._count += self._direction in ("both", "in" if inward else "out")
            self._before[track] = (moment.time_ms, foot)
        self._before = {
            track: (time_ms, foot)
            for track, (time_ms, foot) in self._before.items()
            if moment.time_ms - time_ms <= _LONGEST_UNSEEN_MS
        }

    def settle(self, end_ms: int) -> float | None:  # noqa: ARG002 - as every measure
        """Return the count."""
        count, self._count = self._count, 0
        return float(count)


class BlockedMinutes:
    """Minutes that a zone has been occupied without a break, up to now; 0 while it is free."""

    def __init__(self, chosen: _Choice, gone_s: float) -> None:
        self._chosen, self._gone_ms = chosen, gone_s * MS
        self._since_ms: int | None = None
        self._last_ms = 0
        self._looked = False

    def see(self, moment: Moment) -> None:
        """Note whether anything stands there."""
        self._looked = True
        if self._chosen.tracks(moment.tracked):
            self._since_ms = moment.time_ms if self._since_ms is None else self._since_ms
            self._last_ms = moment.time_ms
        elif self._since_ms is not None and moment.time_ms - self._last_ms > self._gone_ms:
            self._since_ms = None

    def settle(self, end_ms: int) -> float | None:
        """Return the minutes so far."""
        looked, self._looked = self._looked, False
        if not looked:
            return None
        return 0.0 if self._since_ms is None else (min(end_ms, self._last_ms) - self._since_ms) / (60 * MS)


class EvidenceMeasure:
    """How much all frames so far speak for a thing being there: the log likelihood ratio of a hidden Markov model."""

    def __init__(self, ratios: ScoreRatios, model: PresenceModel, chosen: _Choice) -> None:
        self._ratios = ratios
        self._chosen = _Choice((ratios.label,), chosen.polygon)
        self._presence = Presence(model, ratios.cap)
        self._looked = False

    def see(self, moment: Moment) -> None:
        """Weigh the best score in the zone; a frame that was not looked at weighs nothing."""
        if moment.seen is None:
            return
        self._looked = True
        chosen = self._chosen.of(moment.seen.boxes, moment.seen.labels)
        best = float(moment.seen.scores[chosen].max(initial=0.0))
        self._presence.see(moment.time_ms, self._ratios.log_ratio(best, moment.brightness))

    def settle(self, end_ms: int) -> float | None:
        """Return the log ratio at the end of the interval; None where no frame was looked at."""
        looked, self._looked = self._looked, False
        told = self._presence.log_ratio(end_ms)
        return told if looked and math.isfinite(told) else None
