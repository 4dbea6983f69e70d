"""Live video: how many cameras one machine watches at five frames a second, detection and tracking included.

Every stream is the same film read at its own pace by a reader of its own, as if it were a camera; the feeds and the
server run as the processes that ``cityforge serve`` starts. What counts begins after a warm-up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cityforge.processes import child_environment
from cityforge.supervisor import Platform

from .part import Figures, Options, say
from .served import NAME, serve_yolox

KEYS = ("live_streams", "live_dropped_share")
STREAMS = (8, 12)
FPS, WIDTH_PX = 5, 320
WARM_UP_S, MEASURED_S = 12, 45
MOST_DROPPED, MOST_GROWTH_MS = 0.01, 200
PACK = """
id = "safety.live"
title = { zh = "测", en = "live" }
domain = "safety"
timezone = "UTC"
country = "CN"
lead = { zh = "测", en = "test" }
source = "street_video"
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one number of streams.

    Attributes:
        streams: how many.
        dropped_share: due frames that nobody took, of all that were due.
        lag_ms: median lag over the cameras at the end.
        growth_ms: by how much that is more than at the beginning.
    """

    streams: int
    dropped_share: float
    lag_ms: float
    growth_ms: float

    @property
    def keeps_up(self) -> bool:
        """Whether it meets the goal."""
        return self.dropped_share <= MOST_DROPPED and self.growth_ms <= MOST_GROWTH_MS


def measure(options: Options) -> Figures:
    """Watch more and more streams; tell the most that were kept up with, and what eight of them lost."""
    video = options.need("street_video", "vtest.avi")
    with serve_yolox(options) as (platform, _):
        outcomes = [_watch(platform, write_pack(options.scratch / f"live{n}", video, n)) for n in STREAMS]
    for each in outcomes:
        say(
            f"live: {each.streams} streams at {FPS} frames/s: {each.dropped_share:.2%} of due frames dropped, "
            f"lag {each.lag_ms:.0f} ms, grown by {each.growth_ms:.0f} ms"
        )
    kept = [each.streams for each in outcomes if each.keeps_up]
    return {"live_streams": float(max(kept, default=0)), "live_dropped_share": outcomes[0].dropped_share}


def write_pack(folder: Path, video: Path, streams: int) -> Path:
    """Write a pack of so many cameras that count people; returns its folder."""
    folder.mkdir(parents=True)
    signs = ["id,title_zh,title_en,place,unit,interval_s,source,domain,dimension,harmful"]
    cameras = []
    for number in range(streams):
        signs.append(f"live.people{number},人,people,city,1,10,live.cam{number},safety,people{number},high")
        cameras.append(
            f'[[camera]]\nid = "live.cam{number}"\nurl = {json.dumps(str(video))}\nmodel = "{NAME}"\nfps = {FPS}\n'
            f"width_px = {WIDTH_PX}\nrepeat = true\n\n"
            f'[[camera.sign]]\nsign = "live.people{number}"\nmeasure = "count"\nlabels = ["person"]\n'
        )
    texts = {
        "pack.toml": PACK,
        "places.csv": "id,name_zh,name_en,level,parent\ncity,城,City,city,\n",
        "signs.csv": "\n".join(signs) + "\n",
        "cameras.toml": "\n".join(cameras),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _watch(platform: Platform, pack: Path) -> Outcome:
    home = pack / "home"
    key = None if platform.api_key is None else platform.api_key.get_secret_value()
    values = {"serving_url": platform.url, "serving_key": key, "packs": [str(pack)], "home": str(home)}
    environment = child_environment({"CITYFORGE_FEEDS": json.dumps(values | {"log_level": "error"})})
    command = [sys.executable, "-P", "-W", "ignore", "-m", "operations.feeds"]
    with (pack / "feeds.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            begin = _status_after(home, process, WARM_UP_S)
            end = _status_after(home, process, MEASURED_S)
        finally:
            process.terminate()
            process.wait(timeout=60)
    due, dropped = (_sum(end, name) - _sum(begin, name) for name in ("due", "dropped"))
    lags = [float(np.median([camera["lag_ms"] for camera in status["cameras"]])) for status in (begin, end)]
    return Outcome(len(end["cameras"]), dropped / max(due, 1), lags[1], lags[1] - lags[0])


def _status_after(home: Path, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    """Return the status once so many seconds have passed since every camera delivered."""
    path = home / "feeds.json"
    deadline = time.monotonic() + 90
    while not path.exists() or not all(camera["reader"]["due"] for camera in json.loads(path.read_text())["cameras"]):
        if process.poll() is not None or time.monotonic() > deadline:
            message = f"The feeds did not start. Their log is {home.parent / 'feeds.log'}."
            raise SystemExit(message)
        time.sleep(0.2)
    time.sleep(seconds)
    status: dict[str, Any] = json.loads(path.read_text())
    return status


def _sum(status: dict[str, Any], name: str) -> int:
    return sum(int(camera["reader"][name]) for camera in status["cameras"])
