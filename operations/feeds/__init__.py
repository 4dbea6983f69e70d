"""Live sources: cameras, video files and folders of pictures, watched day and night.

    source ─▶ due frames ─▶ motion gate ─▶ detector (/v2) ─▶ tracks ─▶ measures ─▶ readings ─▶ POST /readings

A camera becomes signs like any other sensor's: idempotent readings in event time through the public endpoint. A camera
that is silent, or seen too rarely, gives no reading, so that its signs turn grey; "nothing there" is a reading of its
own. Frames are kept only where a setting says so, and then blurred. No person is identified.

Needs the extra ``feeds``; nothing outside this package imports it but the process that runs it, demos and benchmarks.
"""

from __future__ import annotations

from .cameras import CAMERAS_FILE, CameraSettings, load_cameras
from .detector import ServedDetector
from .process import FeedSettings, read_settings, run_feeds
from .reader import Reader
from .sink import ReadingSink
from .sources import Frame, open_source
from .watch import Watch

__all__ = [
    "CAMERAS_FILE",
    "CameraSettings",
    "FeedSettings",
    "Frame",
    "Reader",
    "ReadingSink",
    "ServedDetector",
    "Watch",
    "load_cameras",
    "open_source",
    "read_settings",
    "run_feeds",
]
