from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts import ServiceError, to_ms
from operations.feeds.motion import MotionGate
from operations.feeds.sources import open_source, picture_time_ms

from .films import camera, pictures, write_film

START = datetime(2026, 5, 1, 8, tzinfo=UTC)


def never() -> bool:
    return False


def test_due_frames_of_a_film_carry_their_event_time(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", pictures(40), fps=10)
    frames = list(open_source(camera(film, fps=5, starts=START, width_px=80), never))
    assert [frame.time_ms - to_ms(START) for frame in frames] == list(range(0, 4000, 200))
    assert frames[0].pixels.shape == (60, 80, 3)
    assert frames[0].pixels.max() > 200


def test_a_film_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    small = write_film(tmp_path / "a.ts", pictures(20, 160, 120), codec="mpeg2video", fps=25)
    large = write_film(tmp_path / "b.ts", pictures(20, 320, 160), codec="mpeg2video", fps=25)
    joined = tmp_path / "both.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    frames = list(open_source(camera(joined, fps=25, width_px=160), never))
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3), (80, 160, 3)}
    assert len(frames) >= 38  # the second film's own times begin anew


def test_a_film_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.ts", pictures(60), codec="mpeg2video", fps=25)
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    assert 10 < len(list(open_source(camera(film, fps=25), never))) < 60


@pytest.mark.parametrize("name", ["film.mp4", "film.avi"])
def test_a_film_damaged_in_the_middle_goes_on_behind_the_damage(tmp_path: Path, name: str) -> None:
    film = write_film(tmp_path / name, pictures(60), fps=25)
    content = bytearray(film.read_bytes())
    damaged = slice(len(content) * 4 // 10, len(content) // 2)
    content[damaged] = np.random.default_rng(0).bytes(damaged.stop - damaged.start)
    film.write_bytes(content)
    frames = list(open_source(camera(film, fps=25), never))
    assert len(frames) > 45
    assert [frame.time_ms for frame in frames] == sorted({frame.time_ms for frame in frames})


@pytest.mark.parametrize("content", [b"", b"this is no film" * 100])
def test_what_is_no_film_fails(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(ServiceError, match=r"street\.cam' failed"):
        list(open_source(camera(path), never))


def test_what_is_not_there_fails(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="does not exist"):
        list(open_source(camera(tmp_path / "nothing.mp4"), never))


def test_a_folder_is_read_in_event_time_and_broken_pictures_are_passed_over(tmp_path: Path) -> None:
    for name in ("cam_20260501T080010", "cam_20260501T080000", "cam_20260501T080020"):
        Image.new("RGB", (64, 32)).save(tmp_path / f"{name}.jpg")
    broken = tmp_path / "cam_20260501T080005.jpg"
    broken.write_bytes(b"\xff\xd8 broken")
    os.utime(broken, (0, 0))
    (tmp_path / "notes.txt").write_text("no picture")
    frames = list(open_source(camera(tmp_path, fps=1, width_px=32), never))
    assert [frame.time_ms - to_ms(START) for frame in frames] == [0, 10_000, 20_000]
    assert frames[0].pixels.shape == (16, 32, 3)


def test_times_of_pictures(tmp_path: Path) -> None:
    assert picture_time_ms(Path("20260501T080000.jpg")) == to_ms(START)
    assert picture_time_ms(Path("cam_20260501T080000250.jpg")) == to_ms(START) + 250
    plain = tmp_path / "picture.jpg"
    plain.write_bytes(b"")
    os.utime(plain, (1000, 1000))
    assert picture_time_ms(plain) == 1_000_000


def test_only_what_moves_is_looked_at() -> None:
    gate = MotionGate(share=0.002, every_s=10)
    first, later = list(pictures(2))
    assert gate.wants(0, first)
    assert not gate.wants(200, first)
    assert not gate.wants(400, np.clip(first.astype(int) + 20, 0, 255).astype(np.uint8))  # light, not motion
    assert gate.wants(600, np.roll(first, 60, axis=1))
    assert gate.wants(800, np.zeros((60, 80, 3), np.uint8))  # another shape
    assert gate.wants(11_000, np.zeros((60, 80, 3), np.uint8))  # long enough ago
    assert later.shape == first.shape
