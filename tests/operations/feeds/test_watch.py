from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from contracts import Domain, OverloadedError, Quality, Sign, Text, to_ms
from operations.feeds.detector import Sighting
from operations.feeds.sources import Frame
from operations.feeds.watch import Watch

from .films import camera, pictures

START_MS = to_ms(datetime(2026, 5, 1, 8, tzinfo=UTC))
SIGN = Sign(
    id="street.people",
    title=Text(zh="人数", en="people"),
    place="city",
    unit="1",
    interval_s=10,
    source="street.cam",
    domain=Domain.SAFETY,
)
Answer = Callable[[NDArray[np.uint8]], Sighting]


class BrightSquare:
    """A detector that finds the bright square by looking for it, and can be told to be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    def look(self, pixels: NDArray[np.uint8]) -> Sighting:
        self.asked += 1
        if self.away:
            message = "away"
            raise OverloadedError(message, 1.0)
        rows, columns = np.nonzero(pixels[..., 0] > 180)
        if not len(rows):
            return Sighting(np.empty((0, 4)), np.empty(0), ())
        height, width = pixels.shape[:2]
        box = [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]
        return Sighting(np.array([box]), np.array([0.9]), ("person",))


def build(detector: BrightSquare, **others: object) -> Watch:
    return Watch(camera("film.mp4", fps=2, **others), {SIGN.id: SIGN}, detector)


def film(seconds: float, fps: float = 2, start_s: float = 0) -> list[Frame]:
    frames = pictures(round(seconds * fps))
    return [Frame(START_MS + round((start_s + n / fps) * 1000), pixels) for n, pixels in enumerate(frames)]


def test_an_interval_becomes_a_reading_at_its_end() -> None:
    watch = build(BrightSquare())
    readings = [reading for frame in film(25) for reading in watch.see(frame).readings]
    assert [to_ms(reading.time) - START_MS for reading in readings] == [10_000, 20_000]
    assert [reading.quality for reading in readings] == [Quality.GOOD, Quality.GOOD]
    assert 0.9 <= readings[1].value <= 1.0


def test_a_silent_camera_gives_no_reading_not_zero() -> None:
    watch = build(BrightSquare())
    frames = [*film(10), *film(2, start_s=20), *film(10, start_s=30), *film(1, start_s=40)]
    readings = [reading for frame in frames for reading in watch.see(frame).readings]
    assert [to_ms(reading.time) - START_MS for reading in readings] == [10_000, 40_000]


def test_what_was_hardly_seen_is_suspect() -> None:
    watch = build(BrightSquare())
    frames = [*film(7), *film(1, start_s=10)]
    readings = [reading for frame in frames for reading in watch.see(frame).readings]
    assert [reading.quality for reading in readings] == [Quality.SUSPECT]


def test_a_detector_that_is_away_is_not_nothing_seen() -> None:
    detector = BrightSquare()
    watch = build(detector)
    detector.away = True
    readings = [reading for frame in film(11) for reading in watch.see(frame).readings]
    assert readings == []
    assert watch.counts.unanswered == 22
    detector.away = False
    readings = [reading for frame in film(20, start_s=11) for reading in watch.see(frame).readings]
    assert [to_ms(reading.time) - START_MS for reading in readings] == [20_000, 30_000]


def test_an_empty_scene_is_zero() -> None:
    watch = build(BrightSquare())
    grey = np.full((120, 160, 3), 90, np.uint8)
    readings = [r for n in range(21) for r in watch.see(Frame(START_MS + n * 500, grey)).readings]
    assert [reading.value for reading in readings] == [0.0]


def test_a_still_scene_is_asked_about_seldom_and_still_counts() -> None:
    detector = BrightSquare()
    watch = build(detector, motion={"share": 0.002, "every_s": 5})
    still = next(pictures(1))
    readings = [r for n in range(61) for r in watch.see(Frame(START_MS + n * 500, still)).readings]
    assert [reading.quality for reading in readings] == [Quality.GOOD] * 3
    assert readings[-1].value == 1.0
    assert detector.asked <= 8
    assert watch.counts.still == 61 - detector.asked


def test_a_long_silence_is_passed_over_at_once() -> None:
    watch = build(BrightSquare())
    watch.see(film(1)[0])
    later = Frame(START_MS + 400 * 86_400_000, next(pictures(1)))
    assert watch.see(later).readings == []
