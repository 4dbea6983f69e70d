"""The watch of one camera: frame by frame through gate, detector, tracker and measures, to readings."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts import OverloadedError, Quality, Reading, Sign, from_ms

from .cameras import CameraSettings, MeasureSettings
from .detector import Sighting
from .measures import Measure, Moment, build_measure
from .motion import MotionGate
from .sources import Frame
from .tracking import Tracked, Tracker

MS = 1000
ENOUGH, PLENTY = 0.5, 0.8
"""Shares of an interval's due frames that must be seen for a reading at all, and for one that is not suspect."""

logger = logging.getLogger(__name__)


class Looks(Protocol):
    """Whoever says what a frame shows."""

    def look(self, pixels: NDArray[np.uint8]) -> Sighting:
        """Return what one frame shows.

        Raises:
            OverloadedError: if it cannot be said now.
        """


@dataclass(slots=True)
class WatchCounts:
    """What became of one camera's frames.

    Attributes:
        frames: that were taken in.
        looked: that the detector was asked about.
        still: in which nothing had moved.
        unanswered: that the detector had no answer to: they count as not seen.
        last_ms: event time of the newest frame.
    """

    frames: int = 0
    looked: int = 0
    still: int = 0
    unanswered: int = 0
    last_ms: int = 0


@dataclass(slots=True)
class _Gauge:
    """One sign in the making."""

    sign: Sign
    measure: Measure
    end_ms: int = 0
    seen: int = 0


@dataclass(slots=True, eq=False)
class Look:
    """A frame with what became of it, for those who draw or keep it.

    Attributes:
        frame: the frame.
        seen: everything the detector told, weak boxes too; None where it had no answer.
        tracked: what is followed.
        readings: of the intervals that were over by it.
    """

    frame: Frame
    seen: Sighting | None
    tracked: Tracked
    readings: Sequence[Reading] = field(default_factory=tuple)


class Watch:
    """Turns one camera's frames into readings.

    Args:
        camera: what it measures.
        signs: the signs it measures, by id.
        detector: who says what a frame shows.

    Raises:
        ConfigurationError: if likelihood ratios cannot be read.
    """

    def __init__(self, camera: CameraSettings, signs: Mapping[str, Sign], detector: Looks) -> None:
        self.camera = camera
        self.counts = WatchCounts()
        self._detector = detector
        self._gate = None if camera.motion is None else MotionGate(camera.motion.share, camera.motion.every_s)
        self._tracker = Tracker(camera.track, camera.threshold)
        self._gauges = [_Gauge(signs[each.sign], build_measure(camera, each)) for each in camera.sign]
        self._last: Sighting | None = None

    @property
    def measures(self) -> tuple[MeasureSettings, ...]:
        """What is measured."""
        return self.camera.sign

    def see(self, frame: Frame) -> Look:
        """Take in a frame; returns what was followed and the readings of every interval that is over by it."""
        self.counts.frames += 1
        readings = self._settle(frame.time_ms)
        self.counts.last_ms = frame.time_ms
        try:
            seen, asked = self._look(frame)
        except OverloadedError as exc:
            if self.counts.unanswered == 0:
                logger.warning("camera %s: %s", self.camera.id, exc)
            self.counts.unanswered += 1
            empty = Tracked(np.empty((0, 4)), np.empty(0), (), np.empty(0, np.int64))
            return Look(frame, None, empty, readings)
        tracked = self._tracker.follow(frame.time_ms, seen.at_least(self.camera.threshold))
        moment = Moment(frame.time_ms, seen if asked else None, tracked, float(frame.pixels.mean()))
        for gauge in self._gauges:
            gauge.measure.see(moment)
            gauge.seen += 1
        return Look(frame, seen, tracked, readings)

    def finish(self, time_ms: int) -> list[Reading]:
        """Return the readings of every interval that is over by a time: the source has ended."""
        return self._settle(time_ms)

    def _look(self, frame: Frame) -> tuple[Sighting, bool]:
        """Return what is seen, and whether it was asked anew."""
        if self._last is not None and self._gate is not None and not self._gate.wants(frame.time_ms, frame.pixels):
            self.counts.still += 1
            return self._last, False
        if self._last is None and self._gate is not None:
            self._gate.wants(frame.time_ms, frame.pixels)
        self.counts.looked += 1
        self._last = None  # what fails leaves nothing to go by
        self._last = self._detector.look(frame.pixels)
        return self._last, True

    def _settle(self, time_ms: int) -> list[Reading]:
        readings = []
        for gauge in self._gauges:
            interval_ms = gauge.sign.interval_s * MS
            if gauge.end_ms == 0:
                gauge.end_ms = (time_ms // interval_ms + 1) * interval_ms
            while time_ms >= gauge.end_ms:
                reading = self._read(gauge)
                if reading is not None:
                    readings.append(reading)
                gauge.seen = 0
                gauge.end_ms += interval_ms
                if time_ms - gauge.end_ms > interval_ms:  # a long silence holds no readings
                    gauge.end_ms = time_ms // interval_ms * interval_ms
        return readings

    def _read(self, gauge: _Gauge) -> Reading | None:
        value = gauge.measure.settle(gauge.end_ms)
        share = gauge.seen / max(1.0, gauge.sign.interval_s * self.camera.fps)
        if value is None or share < ENOUGH:
            return None
        quality = Quality.GOOD if share >= PLENTY else Quality.SUSPECT
        return Reading(sign=gauge.sign.id, time=from_ms(gauge.end_ms), value=value, quality=quality)
