from __future__ import annotations

import numpy as np
import pytest

from operations.feeds.cameras import CameraSettings, MeasureSettings
from operations.feeds.detector import Sighting
from operations.feeds.measures import Measure, Moment, build_measure
from operations.feeds.tracking import Tracked, Tracker

from .films import camera

ZONE = {"id": "lane", "polygon": [(0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)]}
LINE = {"id": "gate", "start": (0.5, 0.0), "end": (0.5, 1.0)}
# A camera that looks straight down on 20 m by 10 m.
GROUND = {"points": [(0, 0), (1, 0), (1, 1), (0, 1)], "metres": [(0, 0), (20, 0), (20, 10), (0, 10)]}
SCENE = camera("film.mp4", zone=[ZONE], line=[LINE], ground=GROUND)


def measure(kind: str, scene: CameraSettings = SCENE, **others: object) -> Measure:
    return build_measure(scene, MeasureSettings.model_validate({"sign": "s", "measure": kind, **others}))


def moment(time_s: float, *things: tuple[int, str, float, float]) -> Moment:
    """Return a look at things given as track, label, x and y of the foot."""
    boxes = np.array([[x - 0.02, y - 0.1, x + 0.02, y] for _, _, x, y in things]).reshape(-1, 4)
    labels = tuple(label for _, label, _, _ in things)
    scores = np.full(len(things), 0.9)
    tracked = Tracked(boxes, scores, labels, np.array([track for track, *_ in things], np.int64))
    return Moment(round(time_s * 1000), Sighting(boxes, scores, labels), tracked, 120.0)


def test_a_count_is_the_mean_of_those_in_the_zone() -> None:
    count = measure("count", zone="lane", labels=["van"])
    count.see(moment(0, (1, "van", 0.2, 0.8), (2, "van", 0.2, 0.2), (3, "bin", 0.3, 0.8), (-1, "van", 0.4, 0.8)))
    count.see(moment(1, (1, "van", 0.2, 0.8), (4, "van", 0.6, 0.9)))
    assert count.settle(60_000) == 1.5
    assert count.settle(120_000) is None  # nobody looked


def test_density_is_per_square_metre_of_ground() -> None:
    density = measure("density", zone="lane")
    density.see(moment(0, (1, "person", 0.2, 0.8), (2, "person", 0.4, 0.8)))
    assert density.settle(60_000) == pytest.approx(2 / 100)


def test_a_queue_is_as_long_as_what_stands() -> None:
    queue = measure("queue_length", zone="lane")
    for second in range(4):
        moving = 0.1 + 0.1 * second  # 2 m/s
        queue.see(moment(second, (1, "car", 0.2, 0.8), (2, "car", 0.6, 0.8), (3, "car", moving, 0.9)))
    assert queue.settle(60_000) == pytest.approx(8.0)
    queue.see(moment(70, (1, "car", 0.2, 0.8)))
    assert queue.settle(120_000) == 0.0


def test_dwell_is_told_when_somebody_has_left() -> None:
    dwell = measure("dwell", zone="lane")
    for second in range(30):
        dwell.see(moment(second, *([(1, "person", 0.5, 0.8)] if second <= 20 else [])))
    assert dwell.settle(60_000) == pytest.approx(20.0)
    assert dwell.settle(120_000) is None


def test_crossings_count_each_way() -> None:
    way_in, both = measure("crossings", line="gate", direction="in"), measure("crossings", line="gate")
    for each in (way_in, both):
        for second, x in enumerate((0.3, 0.45, 0.55, 0.45, 0.4, 0.6)):
            each.see(moment(second, (7, "person", x, 0.5)))
    assert both.settle(60_000) == 3
    assert way_in.settle(60_000) == 1


def test_blocked_minutes_run_on_over_intervals_and_short_gaps() -> None:
    blocked = measure("blocked", zone="lane", labels=["van"], gone_s=10)
    blocked.see(moment(0, (1, "van", 0.3, 0.8)))
    blocked.see(moment(30))
    blocked.see(moment(35, (2, "van", 0.3, 0.8)))  # the same van, lost and found
    assert blocked.settle(60_000) == 0  # free for 30 s: it began anew
    for second in range(60, 180, 5):
        blocked.see(moment(second, (2, "van", 0.3, 0.8)))
        if second == 115:
            assert blocked.settle(120_000) == pytest.approx((115 - 35) / 60)
    blocked.see(moment(179))
    assert blocked.settle(180_000) == pytest.approx((175 - 35) / 60)
    blocked.see(moment(190))
    assert blocked.settle(240_000) == 0


def test_things_are_followed_and_kept_apart_by_label() -> None:
    tracker = Tracker(SCENE.track, threshold=0.3)
    seen = []
    for tick in range(20):
        x = 0.1 + 0.02 * tick
        boxes = np.array([[x, 0.2, x + 0.1, 0.6], [0.9 - x, 0.2, 1.0 - x, 0.6]])
        found = tracker.follow(tick * 200, Sighting(boxes, np.array([0.9, 0.8]), ("car", "person")))
        seen.append({label: int(track) for label, track in zip(found.labels, found.tracks, strict=True)})
    assert {each["car"] for each in seen[3:]} == {seen[-1]["car"]}
    assert {each["person"] for each in seen[3:]} == {seen[-1]["person"]}
    assert seen[-1]["car"] != seen[-1]["person"]
    assert len(tracker.follow(10_000_000, Sighting(np.empty((0, 4)), np.empty(0), ())).tracks) == 0
