"""The process that watches every camera of every pack: a reader and a watcher thread each, one sink for all.

``python -m operations.feeds`` with its settings as JSON in ``CITYFORGE_FEEDS``. A camera that fails is opened again
for ever and touches no other; readings go through the public endpoint like any other sensor's.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from contracts import ClientTls, ConfigurationError, FactoryError, Problem, Sign

from .cameras import CAMERAS_FILE, CameraSettings, load_cameras
from .detector import ServedDetector
from .privacy import FaceFinder, FrameKeeper, sweep
from .reader import Reader
from .sink import ReadingSink
from .watch import Watch

VARIABLE = "CITYFORGE_FEEDS"
STATUS_FILE = "feeds.json"
STATUS_EVERY_S = 2.0
_TAKE_S = 0.5

logger = logging.getLogger(__name__)


class FeedSettings(BaseModel):
    """What the process is told.

    Attributes:
        serving_url: where ``/v2`` and ``/readings`` answer.
        serving_key: API key presented to it; None where it answers without keys.
        tls: whom it trusts as serving and who it is itself; None trusts the authorities of this machine.
        packs: folders of packs; those without a ``cameras.toml`` are passed over.
        home: folder of its status and of kept frames.
        log_level: of the process.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    serving_url: str = Field(default="http://127.0.0.1:3000", pattern=r"^https?://")
    serving_key: SecretStr | None = None
    tls: ClientTls | None = None
    packs: tuple[Path, ...] = ()
    home: Path
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def read_settings(environment: Mapping[str, str]) -> FeedSettings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: if the variable is missing or wrong, listing every problem.
    """
    title = f"The variable {VARIABLE}"
    text = environment.get(VARIABLE)
    if text is None:
        problem = Problem(VARIABLE, "is not set.", "Start the feeds with `cityforge serve`, or set it to JSON.")
        raise ConfigurationError(title, [problem])
    try:
        return FeedSettings.model_validate_json(text)
    except ValidationError as exc:
        # The message of a wrong value would show it, and one of them is a key.
        problems = [Problem(".".join(map(str, error["loc"])) or "whole", f"{error['msg']}.") for error in exc.errors()]
        raise ConfigurationError(title, problems) from None


class Post:
    """One camera being watched: its reader, its watch and the thread between them.

    Args:
        camera: what to watch.
        signs: of its pack, by id.
        settings: of the process.
        sink: where its readings go.

    Raises:
        FactoryError: if likelihood ratios or the face detector cannot be read.
    """

    def __init__(
        self, camera: CameraSettings, signs: Mapping[str, Sign], settings: FeedSettings, sink: ReadingSink
    ) -> None:
        self.camera = camera
        self.reader = Reader(camera)
        self.detector = ServedDetector(settings.serving_url, settings.serving_key, camera.model, tls=settings.tls)
        self.watch = Watch(camera, signs, self.detector)
        self.trouble = ""
        self.lag_ms = 0
        self._sink = sink
        self._keeper: FrameKeeper | None = None
        frames = settings.home / "frames" / camera.id
        if camera.keep is not None:
            sweep(frames, camera.keep.days, _now())
            self._keeper = FrameKeeper(frames, camera.keep, FaceFinder())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{camera.id}", daemon=True)

    def start(self) -> None:
        """Begin to read and watch."""
        self.reader.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and watching."""
        self._stop.set()
        self.reader.stop()
        self._thread.join(timeout=15)
        self.detector.close()

    @property
    def is_over(self) -> bool:
        """Whether its source has ended and everything was looked at."""
        return not self._thread.is_alive()

    def status(self) -> dict[str, Any]:
        """Return how it stands, as plain data."""
        return {
            "camera": self.camera.id,
            "reader": asdict(self.reader.counts),
            "watch": asdict(self.watch.counts),
            "lag_ms": self.lag_ms,
            "trouble": self.trouble,
        }

    def _run(self) -> None:
        while not self._stop.is_set() and not self.reader.is_over:
            frame = self.reader.take(_TAKE_S)
            if frame is None:
                continue
            try:
                look = self.watch.see(frame)
                self._sink.put(look.readings)
                if self._keeper is not None:
                    self._keeper.offer(look)
            except FactoryError as exc:  # this camera's trouble must not end the others
                if str(exc) != self.trouble:
                    logger.error("camera %s: %s", self.camera.id, exc)  # noqa: TRY400 - no traceback
                self.trouble = str(exc)
            self.lag_ms = round(time.time() * 1000) - frame.time_ms
        if self.reader.is_over:
            self._sink.put(self.watch.finish(self.watch.counts.last_ms))


def run_feeds(settings: FeedSettings, stop: threading.Event) -> None:
    """Watch until asked to stop, or until every source has ended.

    Raises:
        ConfigurationError: listing everything that is wrong with the cameras.
    """
    sink = ReadingSink(settings.serving_url, settings.serving_key, tls=settings.tls)
    posts = build_posts(settings, sink)
    sink.start()
    for post in posts:
        post.start()
    write_status(settings.home, posts, sink)
    logger.info("Watching %d cameras: %s", len(posts), ", ".join(post.camera.id for post in posts))
    try:
        while not stop.wait(STATUS_EVERY_S):
            write_status(settings.home, posts, sink)
    finally:
        for post in posts:
            post.stop()
        sink.stop()
        write_status(settings.home, posts, sink)


def build_posts(settings: FeedSettings, sink: ReadingSink) -> list[Post]:
    """Return a post for every camera of every pack.

    Raises:
        ConfigurationError: listing everything that is wrong, or that there is no camera.
    """
    posts: list[Post] = []
    problems: list[Problem] = []
    for folder in settings.packs:
        if not (folder / CAMERAS_FILE).is_file():
            continue
        try:
            pack, cameras = load_cameras(folder)
            signs = {sign.id: sign for sign in pack.signs}
            posts += [Post(camera, signs, settings, sink) for camera in cameras]
        except ConfigurationError as exc:
            problems += exc.problems
    if not posts and not problems:
        problems.append(Problem("packs", "have no camera.", f"Write a {CAMERAS_FILE} into a pack."))
    if problems:
        title = "The cameras"
        raise ConfigurationError(title, problems)
    return posts


def write_status(home: Path, posts: list[Post], sink: ReadingSink) -> None:
    """Write how every camera stands into ``feeds.json``, whole or not at all."""
    document = {
        "time": _now().isoformat(),
        "cameras": [post.status() for post in posts],
        "posted": sink.posted,
        "refused": sink.refused,
    }
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / f"{STATUS_FILE}.new"
    scratch.write_text(json.dumps(document), encoding="utf-8")
    scratch.replace(home / STATUS_FILE)


def _now() -> datetime:
    return datetime.now(UTC)
