"""Readers against real sources: films, and an RTSP server that dies and comes back."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from operations.feeds.reader import Reader
from operations.feeds.sources import Frame

from .films import camera, pictures, write_film

PATIENCE_S = 60


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(reader: Reader) -> Iterator[Reader]:
    reader.start()
    try:
        yield reader
    finally:
        reader.stop()


SERVER = """
import sys, time, numpy, rtsp
server = rtsp.Source(f"rtsp://127.0.0.1:{sys.argv[1]}/live", fps=10)
for number in range(100_000):
    pixels = numpy.full((120, 160, 3), 90, numpy.uint8)
    left = 4 * number % 130
    pixels[40:70, left : left + 30] = 230
    server.put(pixels)
    time.sleep(0.1)
"""


@contextmanager
def rtsp_server(port: int) -> Iterator[None]:
    """Serve the wandering square over RTSP from a process of its own, killed at the end."""
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SERVER, str(port)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def take_some(reader: Reader, count: int) -> list[Frame]:
    frames: list[Frame] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(frames) < count and time.monotonic() < deadline:
        frame = reader.take(0.5)
        if frame is not None:
            frames.append(frame)
    return frames


def test_an_rtsp_source_that_dies_is_opened_again_when_it_is_back() -> None:
    port = free_port()
    reader = Reader(camera(f"rtsp://127.0.0.1:{port}/live", pace="real"), first_pause_s=0.1)
    with running(reader):
        assert eventually(lambda: reader.counts.failures > 0)  # nobody is there yet
        assert reader.counts.state in ("away", "opening")
        with rtsp_server(port):
            first = take_some(reader, 3)
            assert len(first) == 3, reader.counts
            assert first[0].pixels.shape == (120, 160, 3)
            assert reader.counts.state == "reading"
        failures = reader.counts.failures
        assert eventually(lambda: reader.counts.failures > failures), reader.counts
        with rtsp_server(port):
            again = take_some(reader, 3)
            assert len(again) == 3, reader.counts
            assert again[0].time_ms > first[-1].time_ms


def test_a_slow_watcher_sees_the_present_and_the_rest_is_counted(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", pictures(30), fps=30)
    reader = Reader(camera(film, pace="real", fps=30))
    with running(reader):
        assert eventually(lambda: reader.counts.due == 30)
        newest = reader.take(1)
    assert newest is not None
    assert reader.counts.dropped == 29


def test_read_as_fast_as_can_be_nothing_is_dropped(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", pictures(30), fps=30)
    reader = Reader(camera(film, pace="fast", fps=30))
    seen = []
    with running(reader):
        while not reader.is_over:
            frame = reader.take(0.5)
            if frame is not None:
                seen.append(frame.time_ms)
    assert len(seen) == 30
    assert seen == sorted(seen)
    assert reader.counts.dropped == 0


def test_a_film_that_repeats_begins_again(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", pictures(6), fps=30)
    reader = Reader(camera(film, pace="real", fps=30, repeat=True), first_pause_s=0.01)
    with running(reader):
        assert eventually(lambda: reader.counts.openings >= 3)
        assert take_some(reader, 1)
