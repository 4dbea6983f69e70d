"""Reads one camera on a thread of its own, for ever: opens, reads, opens again, ever later while it stays away.

Frames go into a mailbox of one: a frame that nobody took before the next one came is dropped and counted, so that a
slow detector sees the present, not a growing past. A file or folder read as fast as can be waits instead.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from contracts import FactoryError

from .cameras import CameraSettings
from .sources import Frame, is_stream, open_source

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
_WELL_S = 10.0
"""A source that delivered for so long was well: the next pause is short again."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ReaderCounts:
    """What one camera's reader has seen.

    Attributes:
        due: frames that were due.
        dropped: due frames that nobody took in time.
        openings: times the source was opened.
        failures: times it failed.
        state: ``opening``, ``reading``, ``away`` or ``ended``.
        trouble: what the last failure said.
    """

    due: int = 0
    dropped: int = 0
    openings: int = 0
    failures: int = 0
    state: str = "opening"
    trouble: str = ""


class Reader:
    """One camera's reader; :meth:`take` gives its newest frame.

    Args:
        camera: what to read.
        first_pause_s: pause before a source that failed is opened again; it doubles up to half a minute.
    """

    def __init__(self, camera: CameraSettings, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.camera = camera
        self.counts = ReaderCounts()
        self._first_pause_s = first_pause_s
        self._stop = threading.Event()
        self._filled = threading.Condition()
        self._frame: Frame | None = None
        self._waits = camera.pace == "fast" and not is_stream(camera.address())
        self._thread = threading.Thread(target=self._run, name=f"read-{camera.id}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; returns once the thread has ended, or after the source's own time-out."""
        self._stop.set()
        with self._filled:
            self._filled.notify_all()
        self._thread.join(timeout=15)

    @property
    def is_over(self) -> bool:
        """Whether no further frame will come."""
        return self.counts.state == "ended" and self._frame is None

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame, waiting for one; None if none came in time."""
        with self._filled:
            self._filled.wait_for(lambda: self._frame is not None or self.is_over or self._stop.is_set(), timeout_s)
            frame, self._frame = self._frame, None
            self._filled.notify_all()
            return frame

    def _put(self, frame: Frame) -> None:
        with self._filled:
            if self._waits:
                self._filled.wait_for(lambda: self._frame is None or self._stop.is_set())
            self.counts.due += 1
            self.counts.dropped += self._frame is not None
            self._frame = frame
            self._filled.notify_all()

    def _run(self) -> None:
        pause_s = self._first_pause_s
        while not self._stop.is_set():
            opened = time.monotonic()
            self.counts.openings += 1
            try:
                for frame in open_source(self.camera, self._stop.is_set):
                    self.counts.state = "reading"
                    self._put(frame)
                if self._is_done():
                    self._end()
                    return
                trouble = "the stream ended"
            except FactoryError as exc:
                trouble = str(exc)
            if self._stop.is_set():
                return
            if time.monotonic() - opened > _WELL_S:
                pause_s = self._first_pause_s
            self._note(trouble, pause_s)
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _is_done(self) -> bool:
        return not self.camera.repeat and not is_stream(self.camera.address())

    def _end(self) -> None:
        with self._filled:
            self.counts.state = "ended"
            self._filled.notify_all()

    def _note(self, trouble: str, pause_s: float) -> None:
        self.counts.failures += 1
        self.counts.state, self.counts.trouble = "away", trouble
        logger.warning("camera %s: %s Opening it again in %.1f s.", self.camera.id, trouble, pause_s)
