"""The main job, whole: train, prove, promote, serve, replay, warn, explain. Embedded defaults, nothing to start.

Run again, it reuses what is trained and what was already replayed, unless the data, a recipe, the champion or a
rule changed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from contracts import (
    Episode,
    FactoryError,
    Forecast,
    Incident,
    Layer,
    LedgerEntry,
    Pack,
    PromotionError,
    Quality,
    Reading,
    format_utc,
    from_ms,
    to_ms,
)
from gpu import open_session
from serving import PlatformClient
from training import Recipe, Series, TrainingResult, evaluate_report, load_recipe, read_series, train

from .demo_picture import ReplayCurves, draw_replay
from .demo_report import ModelRow, Report, write_report
from .replaying import ReplayResult, plan_steps, replay, wait_caught_up
from .settings import Settings, adapt
from .supervisor import Platform
from .workspace import Workspace

PACK = "construction.water_main"
FOLDER = "demo"
STATE_FILE = "replayed.json"
FIGURES = ("mae", "mae_ratio", "coverage_90", "onnx_parity", "latency_p95_ms")
MAXIMUM_EPISODES = 500
BAND_LEVELS = (0.05, 0.5, 0.95)

Say = Callable[[str, float], None]
"""Told what is being done and which share of it, from 0 to 1, is done."""


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """What the demo made.

    Attributes:
        pack: the pack it ran.
        trained: one result for each recipe.
        champion: the ledger entry of the version that answered.
        report_figures: figures on the report window, which chose nothing.
        replayed: what was posted.
        episodes: all episodes of the replayed time, gravest first, grey ones last.
        incidents: all incidents.
        picture: path of the PNG.
        report: path of the HTML.
        seconds: time of each stage.
    """

    pack: Pack
    trained: Sequence[TrainingResult]
    champion: LedgerEntry
    report_figures: dict[str, float]
    replayed: ReplayResult
    episodes: Sequence[Episode]
    incidents: Sequence[Incident]
    picture: Path
    report: Path
    seconds: dict[str, float]

    @property
    def warnings(self) -> list[Episode]:
        """The episodes that warn of something; grey ones say that a source was blind."""
        return [episode for episode in self.episodes if episode.layer is not Layer.HEALTH]

    @property
    def blind(self) -> list[Episode]:
        """The grey episodes: periods in which a source was silent."""
        return [episode for episode in self.episodes if episode.layer is Layer.HEALTH]


def demo_settings(settings: Settings) -> Settings:
    """Return settings of the demo: its own folder below ``home``, a free loopback port, time moved by ticks alone."""
    return adapt(
        settings,
        home=settings.home_folder / FOLDER,
        packs=(PACK,),
        host="127.0.0.1",
        port=0,
        open_access=True,
        clock="ticks",
    )


def run_demo(settings: Settings, say: Say) -> DemoResult:
    """Run the main job.

    Args:
        settings: from :func:`demo_settings`.
        say: told of progress.

    Raises:
        FactoryError: if a stage fails, saying which and why.
    """
    watch = _StopWatch()
    with Workspace(settings) as workspace:
        pack = workspace.packs[0]
        recipes = [load_recipe(path) for path in pack.recipes]
        workspace.import_packs()
        trained = _train_all(workspace, recipes, say)
        best = _best(trained)
        stale = _is_stale(workspace, _fingerprint(best, pack))
    watch.lap("train")
    if stale:
        set_store_aside(settings)
    with Workspace(settings) as workspace:
        champion = _promote(workspace, best)
        recipe = recipes[trained.index(best)]
        figures = _open_report_window(workspace, recipe, champion)
        _remember(workspace, _fingerprint(best, pack))
        trained_rows = _model_rows(workspace, recipes, trained)
    watch.lap("promote")
    series = read_series(recipe.data, recipe.folder)[0]
    say("starting the platform", 0.0)
    with Platform(settings) as platform, platform.client() as client:
        watch.lap("start")
        replayed = _replay(client, recipe, series, say)
        watch.lap("replay")
        say("asking for warnings", 0.5)
        since = recipe.windows.report.start.isoformat()
        episodes = client.warnings(since=since, limit=MAXIMUM_EPISODES)
        incidents = client.incidents(since=since, limit=MAXIMUM_EPISODES)
        curves = _curves(client, pack, recipe, series)
    episodes = sorted(episodes, key=lambda one: (-one.peak_level.rank, one.opened_at))
    say("drawing", 0.5)
    picture = draw_replay(settings.home_folder / "warnings.png", curves, episodes)
    report = _report(settings, pack, recipe, episodes=episodes, models=trained_rows, figures=figures, picture=picture)
    watch.lap("report")
    return DemoResult(pack, trained, champion, figures, replayed, episodes, incidents, picture, report, watch.seconds)


def next_steps(report: Path) -> list[str]:
    """Return what to try after the demo."""
    return [
        f"看报告 Open the report: {report}",
        f"看模型 See versions, gates and lineage: CITYFORGE_HOME={report.parent} cityforge show water_main.flow",
        f"看训练 Browse the runs: mlflow ui --backend-store-uri sqlite:///{report.parent / 'mlflow.db'}",
        "改规则 Copy the pack and change a rule: cityforge init --pack construction.water_main --to my-main",
        "用自己的数据 Use your own data: cityforge init --from my.csv --to my-city",
        "上线 Serve it: cityforge serve (API docs at /docs)",
    ]


def _train_all(workspace: Workspace, recipes: Sequence[Recipe], say: Say) -> list[TrainingResult]:
    results = []
    for number, recipe in enumerate(recipes):

        def tell(stage: str, share: float, number: int = number, family: str = recipe.model.family) -> None:
            say(f"training {family}: {stage}", (number + share) / len(recipes))

        results.append(train(recipe, workspace.registry, progress=tell))
    return results


def _best(trained: Sequence[TrainingResult]) -> TrainingResult:
    """Return the version that passed every gate with the lowest error on the gate window."""
    passed = [result for result in trained if result.passed]
    if not passed:
        failed = "; ".join(
            f"version {result.version}: {', '.join(gate.name for gate in result.gates if not gate.passed)}"
            for result in trained
        )
        message = f"No version passed its gates ({failed}). See `cityforge show` for the figures."
        raise PromotionError(message)
    return min(passed, key=lambda result: result.figures["mae"])


def _promote(workspace: Workspace, best: TrainingResult) -> LedgerEntry:
    workspace.import_packs()
    entry = workspace.store.ledger.champion(best.name)
    if entry is None or entry.manifest.version != best.version:
        reason = f"lowest MAE on the gate window ({best.figures['mae']:.4g})"
        entry = workspace.registry.promote(best.name, best.version, workspace.settings.actor, reason=reason)
    workspace.assign_signs(entry.manifest)
    return entry


def _open_report_window(workspace: Workspace, recipe: Recipe, champion: LedgerEntry) -> dict[str, float]:
    manifest = champion.manifest
    session = open_session(workspace.releases.path(manifest.sha256))
    figures = evaluate_report(recipe, session)
    detail = {"model": manifest.name, "version": manifest.version, "mae": figures["mae"]}
    workspace.store.audit.append(workspace.settings.actor, "open_report_window", recipe.name, detail)
    return figures


def _fingerprint(best: TrainingResult, pack: Pack) -> str:
    """Return what the replay depends on: the version that answers, and every file of the pack."""
    digest = hashlib.sha256(f"{best.name}\0{best.version}\0{best.run_id}".encode())
    for path in sorted(path for path in pack.folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(pack.folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _is_stale(workspace: Workspace, fingerprint: str) -> bool:
    path = workspace.home / STATE_FILE
    return path.exists() and json.loads(path.read_text())["fingerprint"] != fingerprint


def _remember(workspace: Workspace, fingerprint: str) -> None:
    (workspace.home / STATE_FILE).write_text(json.dumps({"fingerprint": fingerprint}))


def set_store_aside(settings: Settings) -> None:
    """Keep the store of an earlier replay under another name; a new one begins."""
    home = settings.home_folder
    number = 1 + len(list(home.glob("store-*.db")))
    for path in home.glob("store.db*"):
        path.rename(path.with_name(path.name.replace("store.db", f"store-{number}.db")))


def _replay(client: PlatformClient, recipe: Recipe, series: Series, say: Say) -> ReplayResult:
    """Replay gate and report windows: on the first the runtime rehearses (policy.toml), on the second it decides."""
    steps = plan_steps(
        to_readings(series),
        step_s=series.interval_s,
        since=replay_start(recipe),
        until=min(recipe.windows.report.end, from_ms(series.end_ms)),
    )
    result = replay(client, steps, progress=lambda done, total, at: say(f"replaying {format_utc(at)}", done / total))
    wait_caught_up(
        client,
        result.last_sequence,
        progress=lambda done, total: say(f"deciding on reading {done} of {total}", done / max(total, 1)),
    )
    return result


def replay_start(recipe: Recipe) -> datetime:
    """Return where a replay begins: one context before the gate window, so that the first forecast has its past."""
    return recipe.windows.gate.start - timedelta(seconds=recipe.forecast.context * recipe.data.interval_s)


def to_readings(series: Series) -> list[Reading]:
    """Return the readings of a series; a step without a value has none."""
    return [
        Reading(sign=series.sign, time=from_ms(int(time_ms)), value=float(value), quality=Quality.GOOD)
        for time_ms, value in zip(series.times_ms(), series.values, strict=True)
        if np.isfinite(value)
    ]


def _curves(client: PlatformClient, pack: Pack, recipe: Recipe, series: Series) -> ReplayCurves:
    """Ask for the forecast of every hour and keep its last step: what was told of each hour a whole horizon before."""
    start = max(0, series.step(to_ms(recipe.windows.report.start)))
    times, values = series.times_ms()[start:], series.values[start:].astype(np.float64)
    horizon_ms = recipe.forecast.horizon * series.interval_s * 1000
    band = np.full((len(times), len(BAND_LEVELS)), np.nan)
    for row, time_ms in enumerate(times):
        forecast = _forecast_at(client, series.sign, int(time_ms) - horizon_ms)
        if forecast is not None:
            band[row] = [forecast.values[-1][forecast.quantiles.index(level)] for level in BAND_LEVELS]
    sign = pack.signs[series.sign]
    return ReplayCurves(
        title=f"{sign.title.zh} {sign.title.en}",
        unit=sign.unit,
        times_ms=times,
        values=values,
        band_times_ms=times,
        band=band,
        band_label=f"90 % 预测区间 forecast interval, {recipe.forecast.horizon} steps ahead",
    )


def _forecast_at(client: PlatformClient, sign: str, origin_ms: int) -> Forecast | None:
    """Return the forecast issued at a time; None where too little was known."""
    try:
        return client.forecast(sign, at=from_ms(origin_ms))
    except FactoryError:
        return None


def _model_rows(workspace: Workspace, recipes: Sequence[Recipe], trained: Sequence[TrainingResult]) -> list[ModelRow]:
    status = {version.version: str(version.status) for version in workspace.registry.versions(trained[0].name)}
    return [
        ModelRow(
            version=result.version,
            family=recipe.model.family,
            status=status[result.version],
            figures={name: result.figures[name] for name in FIGURES if name in result.figures},
        )
        for recipe, result in zip(recipes, trained, strict=True)
    ]


def _report(
    settings: Settings,
    pack: Pack,
    recipe: Recipe,
    *,
    episodes: Sequence[Episode],
    models: Sequence[ModelRow],
    figures: dict[str, float],
    picture: Path,
) -> Path:
    window = recipe.windows.report
    path = settings.home_folder / "report.html"
    report = Report(
        title=f"{pack.header.title.zh} · {pack.header.title.en}",
        period=f"{window.start:%Y-%m-%d} – {window.end:%Y-%m-%d}",
        source=recipe.data.source,
        picture=picture,
        episodes=episodes,
        models=models,
        report_note=describe_report_figures(figures),
        next_steps=next_steps(path)[1:],
    )
    return write_report(path, report, pack.places)


def describe_report_figures(figures: dict[str, float]) -> str:
    """Return the figures of the report window in one sentence for people."""
    better = min(figures["mae_last_value"], figures["mae_seasonal_naive"])
    return (
        f"Report window, which chose nothing: MAE {figures['mae']:.3f} against {better:.3f} "
        f"of the better naive forecast (ratio {figures['mae_ratio']:.2f}); "
        f"the 90 % interval held {figures['coverage_90']:.1%}."
    )


class _StopWatch:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now
