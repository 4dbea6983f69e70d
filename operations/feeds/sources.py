"""Sources of frames: RTSP and other streams, video files, folders of pictures. One way to read them all.

A source yields frames with their event time and ends or fails; whoever reads it decides whether to open it again.
Only due frames are converted to pixels: a camera's 25 frames a second are decoded, five are looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.container
import av.error
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contracts import DataError, ServiceError, decode_picture, parse_utc, to_ms

if TYPE_CHECKING:
    from .cameras import CameraSettings

MS = 1000
PICTURES = (".jpg", ".jpeg", ".png")
_STREAM_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://", "tcp://", "udp://", "rtmp://")
_TIMEOUT_S = 10.0
_MOST_DAMAGED = 50
"""Packets in a row that may be damaged before the source counts as broken."""
_LONGEST_GAP_S = 60.0
"""A film's frames may be so far apart; more is damage."""
_USUAL_FPS = 25
_NAME_FORMAT = "%Y%m%dT%H%M%S"
IsStopped = Callable[[], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        time_ms: its event time, UTC.
        pixels: uint8, shape (height, width, 3), RGB, scaled down to the camera's width.
    """

    time_ms: int
    pixels: NDArray[np.uint8]


class Cadence:
    """Tells which frames are due: the first of each step of 1 / fps seconds.

    Args:
        fps: frames a second that are wanted.
    """

    def __init__(self, fps: float) -> None:
        self._step_ms = MS / fps
        self._last: int | None = None

    def is_due(self, time_ms: int) -> bool:
        """Return whether a frame of this time is due, and remember that it was seen."""
        step = int(time_ms // self._step_ms)
        if self._last is not None and step <= self._last:
            return False
        self._last = step
        return True


class FilmClock:
    """Seconds that a film has run, as its frames tell; damage and films put together make what they tell jump.

    Args:
        step_s: from one frame to the next, where that cannot be told.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._told_s: float | None = None
        self._ran_s = 0.0

    def read(self, told_s: float | None) -> float:
        """Return the seconds since the first frame; a jump back, or far ahead, counts as one frame."""
        if self._told_s is None:
            self._told_s = told_s
            return self._ran_s
        step_s = -1.0 if told_s is None else told_s - self._told_s
        self._ran_s += step_s if 0 <= step_s <= _LONGEST_GAP_S else self._step_s
        self._told_s = self._told_s if told_s is None else told_s
        return self._ran_s


def is_stream(url: str) -> bool:
    """Return whether a source is a stream of the network: its event time is the clock's."""
    return url.startswith(_STREAM_SCHEMES)


def open_source(camera: CameraSettings, is_stopped: IsStopped) -> Iterator[Frame]:
    """Yield the due frames of a camera's source until it ends.

    Args:
        camera: what to read and how.
        is_stopped: asked between frames; ends the source when true.

    Raises:
        ServiceError: if the source cannot be opened, breaks off or sends nothing for ten seconds.
        DataError: if it is no video or folder of pictures at all.
    """
    url = camera.address()
    if not is_stream(url) and Path(url).is_dir():
        return _read_folder(camera, Path(url), is_stopped)
    if not is_stream(url) and not Path(url).exists():
        message = f"The source {url!r} of the camera {camera.id!r} does not exist. Give a stream, a file or a folder."
        raise ServiceError(message)
    return _read_video(camera, url, is_stopped)


def _read_video(camera: CameraSettings, url: str, is_stopped: IsStopped) -> Iterator[Frame]:
    live = is_stream(url)
    cadence = Cadence(camera.fps)
    options = {"rtsp_transport": "tcp"} if url.startswith("rtsp") else {}
    begun = time.monotonic()
    try:
        with av.open(url, options=options, timeout=_TIMEOUT_S) as container:
            if not container.streams.video:
                message = f"The source of the camera {camera.id!r} holds no video. Give one that does."
                raise DataError(message)
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            start_ms = now_ms() if camera.starts is None else to_ms(camera.starts)
            clock = FilmClock(float(1 / (stream.average_rate or _USUAL_FPS)))
            for picture in _decode(container, stream):
                if is_stopped():
                    return
                if live:
                    time_ms = now_ms()
                else:
                    ran_s = clock.read(picture.time)
                    time_ms = start_ms + round(ran_s * MS)
                    if camera.pace == "real" and not _wait_until(begun + ran_s, is_stopped):
                        return
                if cadence.is_due(time_ms):
                    yield Frame(time_ms, _to_pixels(picture, camera.width_px))
    except av.error.ExitError as exc:
        message = f"The source of the camera {camera.id!r} sent nothing for {_TIMEOUT_S:g} s."
        raise ServiceError(message) from exc
    except av.error.FFmpegError as exc:
        message = f"The source of the camera {camera.id!r} failed: {exc.strerror or exc}."
        raise ServiceError(message) from exc


def _decode(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Decode a stream and pass over what is damaged in it; a run of nothing but damage is a failure."""
    damaged = 0
    for packet in container.demux(stream):
        try:
            for picture in packet.decode():
                damaged = 0
                yield picture
        except av.error.InvalidDataError:
            damaged += 1
            if damaged > _MOST_DAMAGED:
                raise


def _to_pixels(picture: av.VideoFrame, width_px: int) -> NDArray[np.uint8]:
    """Scale a frame down to a width, keeping its shape, and return it as RGB."""
    width = min(width_px, picture.width)
    height = max(1, round(picture.height * width / picture.width))
    return np.ascontiguousarray(picture.to_ndarray(format="rgb24", width=width, height=height))


def _wait_until(moment: float, is_stopped: IsStopped) -> bool:
    """Sleep until a moment of the monotonic clock; return False if stopped meanwhile."""
    while (left_s := moment - time.monotonic()) > 0:
        if is_stopped():
            return False
        time.sleep(min(left_s, 0.1))
    return True


def _read_folder(camera: CameraSettings, folder: Path, is_stopped: IsStopped) -> Iterator[Frame]:
    """Yield the pictures of a folder by time; with ``pace = "real"`` go on with those that are added.

    A picture that cannot be read is passed over once: it may be only half written, and is tried again at the next look.
    """
    done: set[Path] = set()
    cadence = Cadence(camera.fps)
    while not is_stopped():
        fresh = sorted(
            (p for p in folder.iterdir() if p.suffix.lower() in PICTURES and p not in done), key=picture_time_ms
        )
        for path in fresh:
            if is_stopped():
                return
            time_ms = picture_time_ms(path)
            try:
                pixels = _scale(decode_picture(path.read_bytes(), name=path.name), camera.width_px)
            except (DataError, OSError):
                if camera.pace == "real" and now_ms() - round(path.stat().st_mtime * MS) < _TIMEOUT_S * MS:
                    continue
                done.add(path)
                continue
            done.add(path)
            if cadence.is_due(time_ms):
                yield Frame(time_ms, pixels)
        if camera.pace != "real":
            return
        _wait_until(time.monotonic() + min(1.0, 1 / camera.fps), is_stopped)


def _scale(pixels: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if width <= width_px:
        return pixels
    size = (width_px, max(1, round(height * width_px / width)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def picture_time_ms(path: Path) -> int:
    """Return the event time of a picture: of its name (20260131T235959 or ISO 8601), else when it was written."""
    stem = path.stem.rpartition("_")[2]
    try:
        return to_ms(datetime.strptime(stem[:15], _NAME_FORMAT).replace(tzinfo=UTC)) + _milliseconds(stem[15:])
    except ValueError:
        pass
    try:
        return to_ms(parse_utc(stem))
    except (ValueError, DataError):
        return round(path.stat().st_mtime * MS)


def _milliseconds(rest: str) -> int:
    digits = rest.lstrip(".").rstrip("Z")
    return round(float(f"0.{digits}") * MS) if digits else 0


def now_ms() -> int:
    """Return the clock's time in milliseconds UTC."""
    return time.time_ns() // 1_000_000
