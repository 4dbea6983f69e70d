"""The vision line, whole, on pictures that the project draws itself: draw, train, prove, serve, watch, warn, explain.

A pack like any other (``safety.street_watch``) is copied into the demo's folder; a program draws its pictures there.
An ordinary recipe trains a small detector, which passes gates, is served, and looks at a drawn camera's frames through
the same watch that real cameras have; a drawn rain gauge is the second source. Run again, it reuses what is there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from contracts import Episode, Layer, LedgerEntry, Pack, PromotionError, Quality, Reading, load_pack, to_ms
from gpu import open_session
from operations.feeds import Reader, ServedDetector, Watch, load_cameras
from operations.feeds.watch import Look
from serving import PlatformClient
from training import TrainingResult
from training.vision import load_detect_recipe, train_detector
from training.vision.ratios import fit_ratios
from training.vision.scenes import DrawingPlan, Scene, draw_dataset, draw_scene, map_on_all_cores, tell_story

from .demo import MAXIMUM_EPISODES, Say, set_store_aside
from .demo_report import ModelRow, Report, write_report
from .demo_vision_picture import Track, draw_watch
from .packs import find_pack
from .replaying import wait_caught_up
from .settings import Settings, adapt
from .supervisor import RUNTIME, SERVING, Platform
from .workspace import Workspace

PACK = "safety.street_watch"
FOLDER = "demo-vision"
STATE_FILE, DRAWN_FILE, WATCHED_FILE = "watched.json", "drawn.json", "readings.json"
LABEL, RAIN, CAMERA = "standing_water", "street.rain", "street.cam1"
STARTS = datetime(2024, 6, 12, 9, 0, tzinfo=UTC)
MINUTES, EVERY_S = 90, 30.0
PICTURES = DrawingPlan(train=240, validation=40, test=40, seed=1)
"""Enough of each light and weather for a gate to judge: by sixteen the fall at night swung by half between splits."""
JUDGES = DrawingPlan(train=0, validation=60, test=0, seed=77)
"""Further drawings, for the likelihood ratios: neither fitted on nor gated on."""
SHOWN_AT_MIN = (4, 13, 42, 55, 66, 86)
"""Minutes of the story whose frames are shown."""
SLICES = ("plain", "night", "rain")


@dataclass(frozen=True, slots=True, eq=False)
class VisionDemoResult:
    """What the demo made.

    Attributes:
        pack: the pack it ran, as it lies in the demo's folder.
        trained: the version that was trained.
        champion: the ledger entry of the version that looked.
        frames: frames that were drawn for the camera.
        readings: readings that the camera and the gauge gave.
        episodes: all episodes, gravest first, grey ones last.
        picture: path of the PNG.
        report: path of the HTML.
        seconds: time of each stage.
    """

    pack: Pack
    trained: TrainingResult
    champion: LedgerEntry
    frames: int
    readings: int
    episodes: Sequence[Episode]
    picture: Path
    report: Path
    seconds: dict[str, float]

    @property
    def warnings(self) -> list[Episode]:
        """The episodes that warn of something."""
        return [episode for episode in self.episodes if episode.layer is not Layer.HEALTH]


def vision_settings(settings: Settings) -> Settings:
    """Return settings of the demo: its own folder below ``home``, a free loopback port, time moved by ticks alone."""
    home = settings.home_folder / FOLDER
    return adapt(
        settings,
        home=home,
        packs=(str(home / "pack"),),
        host="127.0.0.1",
        port=0,
        open_access=True,
        clock="ticks",
    )


def run_vision_demo(settings: Settings, say: Say) -> VisionDemoResult:
    """Run the vision line.

    Args:
        settings: from :func:`vision_settings`.
        say: told of progress.

    Raises:
        FactoryError: if a stage fails, saying which and why.
    """
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def lap(name: str) -> None:
        seconds[name] = round(time.monotonic() - began - sum(seconds.values()), 3)

    home = settings.make_home()
    pack = _lay_out(home, say)
    lap("draw")
    with Workspace(settings) as workspace:
        trained = _train(workspace, pack, say)
    fingerprint = _fingerprint(trained, pack)
    known = _recall(settings, fingerprint)
    lap("train")
    with Workspace(settings) as workspace:
        champion = _promote(workspace, trained)
        _fit_ratios(workspace, pack, champion, say)
    lap("ratios")
    say("starting the platform", 0.0)
    with Platform(settings, parts=(SERVING, RUNTIME)) as platform, platform.client() as client:
        lap("start")
        if not known:
            _watch(platform, pack, home, say)
            (home / STATE_FILE).write_text(json.dumps({"fingerprint": fingerprint}))
        lap("watch")
        episodes = client.warnings(limit=MAXIMUM_EPISODES)
    episodes = sorted(episodes, key=lambda one: (-one.peak_level.rank, one.opened_at))
    say("drawing", 0.5)
    picture = draw_watch(home / "watch.png", _tracks(home, pack), _shown(home), episodes)
    report = _report(home, pack, trained, episodes, picture)
    lap("report")
    frames, readings = len(list((pack.folder / "frames").glob("*.jpg"))), len(_readings(home))
    return VisionDemoResult(pack, trained, champion, frames, readings, episodes, picture, report, seconds)


def _lay_out(home: Path, say: Say) -> Pack:
    """Copy the pack and draw its pictures, its camera's frames and its gauge's readings, unless they are there."""
    source, target = find_pack(PACK), home / "pack"
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    marker = home / DRAWN_FILE
    plan = repr((PICTURES, JUDGES, MINUTES, EVERY_S, STARTS))
    if marker.exists() and json.loads(marker.read_text()) == plan:
        return load_pack(target)
    for folder in (target / "pictures", target / "frames", home / "judges"):
        shutil.rmtree(folder, ignore_errors=True)
    draw_dataset(target / "pictures", PICTURES, lambda done, total: say("drawing streets to learn from", done / total))
    draw_dataset(home / "judges", JUDGES, lambda done, total: say("drawing streets to judge by", done / total))
    _draw_frames(target / "frames", home, say)
    marker.write_text(json.dumps(plan))
    return load_pack(target)


def _draw_frames(folder: Path, home: Path, say: Say) -> None:
    folder.mkdir(parents=True)
    frames = list(tell_story(minutes=MINUTES, every_s=EVERY_S))
    jobs = [(folder / f"cam1_{STARTS + timedelta(seconds=each.at_s):%Y%m%dT%H%M%S}.jpg", each.scene) for each in frames]
    for number, _ in enumerate(map_on_all_cores(_draw_frame, jobs), start=1):
        say("drawing what the camera sees", number / len(jobs))
    gauge = [
        {"time": (STARTS + timedelta(seconds=each.at_s)).isoformat(), "value": round(each.rain_mm_h, 2)}
        for each in frames
        if each.at_s % 60 == 0
    ]
    (home / "gauge.json").write_text(json.dumps(gauge))


def _draw_frame(job: tuple[Path, Scene]) -> None:
    path, scene = job
    Image.fromarray(draw_scene(scene).pixels).save(path, quality=90)


def _train(workspace: Workspace, pack: Pack, say: Say) -> TrainingResult:
    """Train the recipe as `cityforge train` does.

    Raises:
        PromotionError: if what came of it did not pass its gates.
    """
    recipe = load_detect_recipe(pack.recipes[0])
    trained = train_detector(
        recipe,
        workspace.registry,
        workspace.home / "fits" / recipe.name,
        progress=lambda stage, share: say(f"training a detector: {stage}", share),
    )
    if not trained.passed:
        failed = ", ".join(gate.name for gate in trained.gates if not gate.passed)
        message = (
            f"The detector did not pass its gates ({failed}); `cityforge show {recipe.name}` has the figures. "
            f"Give it more epochs in {find_pack(PACK) / 'recipes' / pack.recipes[0].name} and run the demo again."
        )
        raise PromotionError(message)
    return trained


def _promote(workspace: Workspace, trained: TrainingResult) -> LedgerEntry:
    """Make the version champion, and tell the store the pack's signs."""
    workspace.import_packs()
    entry = workspace.store.ledger.champion(trained.name)
    if entry is None or entry.manifest.version != trained.version:
        reason = f"passed its gates, mAP50 {trained.figures['val.plain.map50']:.2f} on validation"
        entry = workspace.registry.promote(trained.name, trained.version, workspace.settings.actor, reason=reason)
    return entry


def _fit_ratios(workspace: Workspace, pack: Pack, champion: LedgerEntry, say: Say) -> None:
    """Learn what the champion's scores are worth, on drawings that it was neither fitted nor gated on."""
    path = pack.folder / "ratios" / f"{LABEL}.json"
    manifest = champion.manifest
    model = f"{manifest.name}:{manifest.version}"
    if path.exists() and json.loads(path.read_text())["model"] == model:
        return
    session = open_session(workspace.releases.path(manifest.sha256))
    ratios = fit_ratios(
        session,
        workspace.home / "judges",
        LABEL,
        model=model,
        progress=lambda done, total: say("learning what its scores are worth", done / total),
    )
    path.parent.mkdir(exist_ok=True)
    path.write_text(ratios.model_dump_json(indent=1))


def _watch(platform: Platform, pack: Pack, home: Path, say: Say) -> None:
    """Let the camera be watched, and post what it and the gauge give in event time, through the public endpoints."""
    gauge = _gauge(home)
    loaded, (camera,) = load_cameras(pack.folder)
    detector = ServedDetector(platform.url, platform.api_key, camera.model, tls=platform.settings.trust)
    watch = Watch(camera, {sign.id: sign for sign in loaded.signs}, detector)
    reader = Reader(camera)
    posted: list[Reading] = []
    total = MINUTES * 60 / EVERY_S
    reader.start()
    try:
        with platform.client() as client:
            while not reader.is_over:
                frame = reader.take(1.0)
                if frame is None:
                    continue
                look = watch.see(frame)
                _keep_shown(home, look)
                posted += _post(client, gauge, look.readings)
                say("watching the camera", min(1.0, watch.counts.frames / total))
            posted += _post(client, gauge, watch.finish(to_ms(STARTS + timedelta(minutes=MINUTES))))
            last = client.post_tick(STARTS + timedelta(minutes=MINUTES))
            wait_caught_up(client, last, progress=lambda done, of: say("deciding", done / max(of, 1)))
    finally:
        reader.stop()
        detector.close()
    (home / WATCHED_FILE).write_text(json.dumps([reading.model_dump(mode="json") for reading in posted]))


def _post(client: PlatformClient, gauge: list[Reading], readings: Sequence[Reading]) -> list[Reading]:
    """Post the camera's readings and the gauge's of the same time, then let the clock come there."""
    if not readings:
        return []
    until = max(reading.time for reading in readings)
    rain = [reading for reading in gauge if reading.time <= until]
    del gauge[: len(rain)]
    batch = sorted([*rain, *readings], key=lambda one: one.time)
    client.post_readings(batch)
    client.post_tick(until)
    return batch


def _gauge(home: Path) -> list[Reading]:
    entries = json.loads((home / "gauge.json").read_text())
    return [Reading(sign=RAIN, quality=Quality.GOOD, **entry) for entry in entries]


def _readings(home: Path) -> list[Reading]:
    return [Reading.model_validate(entry) for entry in json.loads((home / WATCHED_FILE).read_text())]


def _keep_shown(home: Path, look: Look) -> None:
    """Keep the few frames that are shown, with what was followed in them."""
    minute = (look.frame.time_ms - to_ms(STARTS)) / 60_000
    if minute not in SHOWN_AT_MIN:
        return
    folder = home / "shown"
    folder.mkdir(exist_ok=True)
    Image.fromarray(look.frame.pixels).save(folder / f"{int(minute):03d}.png")
    boxes = [
        {"label": label, "score": float(score), "box": box.tolist()}
        for label, score, box in zip(look.tracked.labels, look.tracked.scores, look.tracked.boxes, strict=True)
    ]
    (folder / f"{int(minute):03d}.json").write_text(json.dumps(boxes))


def _shown(home: Path) -> list[tuple[datetime, Path, list[Mapping[str, object]]]]:
    return [
        (STARTS + timedelta(minutes=int(path.stem)), path, json.loads(path.with_suffix(".json").read_text()))
        for path in sorted((home / "shown").glob("*.png"))
    ]


def _tracks(home: Path, pack: Pack) -> list[Track]:
    """Return the readings of every sign as a line to draw."""
    readings = _readings(home)
    return [
        Track(
            title=f"{sign.title.zh} {sign.title.en}",
            unit=sign.unit,
            times=[reading.time for reading in readings if reading.sign == sign.id],
            values=[reading.value or 0.0 for reading in readings if reading.sign == sign.id],
        )
        for sign in pack.signs
    ]


def _fingerprint(trained: TrainingResult, pack: Pack) -> str:
    """Return what the watch depends on: who looks, and every file of the pack but those that come of training."""
    digest = hashlib.sha256(f"{trained.name}\0{trained.version}\0{trained.run_id}".encode())
    for path in sorted(path for path in pack.folder.rglob("*") if path.is_file()):
        inner = path.relative_to(pack.folder)
        if not {"pictures", "ratios"} & set(inner.parts):
            digest.update(str(inner).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _recall(settings: Settings, fingerprint: str) -> bool:
    """Return whether all this was watched before; what an earlier watch of something else left is set aside."""
    state, watched = settings.home_folder / STATE_FILE, settings.home_folder / WATCHED_FILE
    if not state.exists():
        return False
    if json.loads(state.read_text())["fingerprint"] == fingerprint and watched.exists():
        return True
    set_store_aside(settings)
    state.unlink()
    shutil.rmtree(settings.home_folder / "shown", ignore_errors=True)
    return False


def _report(home: Path, pack: Pack, trained: TrainingResult, episodes: Sequence[Episode], picture: Path) -> Path:
    path = home / "report.html"
    figures = {f"mAP50 {name}": trained.figures[f"test.{name}.map50"] for name in SLICES}
    report = Report(
        title=f"{pack.header.title.zh} · {pack.header.title.en} — 绘制画面 DRAWN PICTURES",
        period=f"{STARTS:%Y-%m-%d %H:%M} – {STARTS + timedelta(minutes=MINUTES):%H:%M}",
        source="程序绘制的街景与雨量，不是真实地点 drawn by a program: no real place, no real rain",
        picture=picture,
        episodes=episodes,
        models=[ModelRow(trained.version, "yolo11n", "champion", figures)],
        report_note=describe_drawn(trained),
        next_steps=next_steps(path)[1:],
    )
    return write_report(path, report, pack.places)


def describe_drawn(trained: TrainingResult) -> str:
    """Return what the figures are worth, in one sentence for people."""
    told = ", ".join(f"{name} {trained.figures[f'test.{name}.map50']:.2f}" for name in SLICES)
    return (
        f"mAP50 on drawn test pictures: {told}. These pictures are drawn by a program; the detector has seen no real "
        "street, and its figures say nothing about one. 画面由程序绘制，检测器没有见过真实街道。"
    )


def next_steps(report: Path) -> list[str]:
    """Return what to try after the demo."""
    home = report.parent
    return [
        f"看报告 Open the report: {report}",
        f"看画面 Look at the drawn pictures: {home / 'pack' / 'pictures'}",
        f"看模型 See gates and lineage: CITYFORGE_HOME={home} cityforge show street.watch",
        "接摄像头 Watch a camera of your own: cityforge init --pack safety.street_watch --to my-street",
        "用自己的画面 Train on your own pictures: [data].folder of recipes/detector.toml (YOLO, COCO or VOC form)",
    ]
