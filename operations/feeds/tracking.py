"""Following things from frame to frame: ByteTrack (Zhang et al. 2022) of the library ``trackers``, one a label.

Kept apart by label: a van never becomes a bin. Time is the frames' own, so that a slow or halting source is followed
as well as a steady one.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the library's own dependencies, at import
    import supervision
    from trackers import ByteTrackTracker

from .cameras import TrackSettings
from .detector import Sighting

SCALE = 1000.0
"""The tracker is given shares as thousandths: its noise is chosen for pixels."""
_BUFFER_FPS = 30.0
"""The library counts its memory of lost things in frames at this rate."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What is followed in one frame.

    Attributes:
        boxes: left, top, right, bottom as shares, shape (box, 4).
        scores: shape (box,).
        labels: one a box.
        tracks: number of each box's track, unique within a camera; -1 while it is not confirmed, shape (box,).
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: tuple[str, ...]
    tracks: NDArray[np.int64]


class Tracker:
    """Follows everything that one camera's detector sees.

    Args:
        settings: how long a thing may be hidden, how often it must be seen.
        threshold: least score of a thing that is followed.
    """

    def __init__(self, settings: TrackSettings, threshold: float) -> None:
        self._settings = settings
        self._threshold = threshold
        self._by_label: dict[str, ByteTrackTracker] = {}
        self._numbers: dict[tuple[str, int], int] = {}

    def follow(self, time_ms: int, seen: Sighting) -> Tracked:
        """Match what was seen with what is followed."""
        boxes, scores, labels, tracks = [np.empty((0, 4))], [np.empty(0)], [], []
        for label in dict.fromkeys([*self._by_label, *seen.labels]):
            found = self._follow_label(label, time_ms, seen)
            boxes.append(found.xyxy / SCALE)
            scores.append(np.asarray(found.confidence if found.confidence is not None else [], np.float64))
            labels += [label] * len(found)
            ids = [] if found.tracker_id is None else found.tracker_id.tolist()
            tracks += [self._number(label, each) for each in ids]
        return Tracked(
            np.concatenate(boxes).astype(np.float64), np.concatenate(scores), tuple(labels), np.array(tracks, np.int64)
        )

    def _follow_label(self, label: str, time_ms: int, seen: Sighting) -> supervision.Detections:
        if label not in self._by_label:
            self._by_label[label] = ByteTrackTracker(
                lost_track_buffer=max(1, round(self._settings.lost_s * _BUFFER_FPS)),
                track_activation_threshold=self._threshold,
                high_conf_det_threshold=self._threshold,
                minimum_consecutive_frames=self._settings.confirm,
            )
        mine = np.array([each == label for each in seen.labels], bool)
        given = supervision.Detections(
            xyxy=(seen.boxes[mine] * SCALE).astype(np.float32),
            confidence=seen.scores[mine].astype(np.float32),
            class_id=np.zeros(int(mine.sum()), int),
        )
        return self._by_label[label].update(given, timestamp=time_ms / 1000)

    def _number(self, label: str, own: int) -> int:
        """Return the camera's number for a label's track."""
        return -1 if own < 0 else self._numbers.setdefault((label, own), len(self._numbers))
