"""Thousands of signs in one model: drawn hourly signs of one year, trained, gated, registered, promoted and scored.

The panel is drawn by a seeded generator; it says nothing of accuracy on a city's signs. Each stage runs in a process of
its own, so that its peak of memory is its own. What gaps cost is measured on signs that were not trained on: the
released graph forecasts them as they are, and with 30 % of every context's readings struck out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.drawn_panels import (
    HOUR_MS,
    HOURS_PER_WEEK,
    HOURS_PER_YEAR,
    START_MS,
    draw_values,
    write_drawn_panel,
)
from benchmarks.peaks import run_watched
from contracts import from_ms

from .protocol import Benchmark, Figures

NAME = "drawn.global"
_ASKED_SIGNS = 5000
CONTEXT, HORIZON, SEASON = HOURS_PER_WEEK, 24, 24
STRANGERS, STRANGERS_SEED = 300, 1_000_003
GAP_SHARE, GAP_HOURS, GAP_WINDOWS = 0.3, 6, 30_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--signs", type=int, default=5000)
    parser.add_argument("--hours", type=int, default=HOURS_PER_YEAR)
    parser.add_argument("--data", type=Path, help="not needed: the panel is drawn")


def measure(arguments: argparse.Namespace) -> Figures:
    """Return all figures."""
    with tempfile.TemporaryDirectory(prefix="cityforge-") as folder:
        return _measure(Path(folder), arguments.signs, arguments.hours)


def _measure(folder: Path, signs: int, hours: int) -> Figures:
    history, recent = folder / "history.parquet", folder / "recent.parquet"
    run_watched(write_drawn_panel, history, signs, hours)
    recent_start = START_MS + (hours - 2 * CONTEXT) * HOUR_MS
    run_watched(_cut, history, recent, recent_start)
    fitted, fit_mib = run_watched(_fit, folder, hours)
    scored, score_mib = run_watched(_score, folder, recent)
    whole, whole_mib = run_watched(_score, folder, history)
    gaps, _ = run_watched(_measure_gaps, folder, hours)
    return {
        "signs": signs,
        "readings": signs * hours,
        "panel_mib": history.stat().st_size / 2**20,
        **fitted,
        "fit_5000_s": fitted["fit_s"] if signs == _ASKED_SIGNS else None,
        "score_5000_s": scored["seconds"] if signs == _ASKED_SIGNS else None,
        "score_s": scored["seconds"],
        "score_whole_history_s": whole["seconds"],
        "forecast_signs": scored["signs"],
        **gaps,
        "fit_peak_mib": fit_mib,
        "score_peak_mib": score_mib,
        "score_whole_history_peak_mib": whole_mib,
        "peak_mib": max(fit_mib, score_mib, whole_mib),
    }


def _cut(history: Path, recent: Path, start_ms: int) -> None:
    """Write the readings from a time on: what a source would send before a forecast."""
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    table = ds.dataset(str(history)).to_table(filter=ds.field("time") >= from_ms(start_ms))
    pq.write_table(table, recent, compression="zstd")


def _fit(folder: Path, hours: int) -> dict[str, float]:
    """Train from the file to a registered, promoted version; imports are not counted."""
    from registry import Registry
    from store import ReleaseStore, Store
    from training import parse_recipe, train

    recipe = parse_recipe(recipe_table(folder / "history.parquet", hours), "The benchmark's recipe", folder)
    with Store.open(f"sqlite:///{folder / 'store.db'}") as store:
        registry = Registry(f"sqlite:///{folder / 'mlflow.db'}", store, ReleaseStore(folder / "releases"))
        started = time.perf_counter()
        result = train(recipe, registry)
        seconds = time.perf_counter() - started
        registry.promote(result.name, result.version, "benchmark")
    kept = ("mae", "mae_ratio", "coverage_90", "wql", "onnx_parity", "latency_p95_ms")
    return {"fit_s": seconds, **{f"gate_{name}": result.figures[name] for name in kept}}


def _score(folder: Path, panel_file: Path) -> dict[str, float]:
    """Forecast every sign from a file to a file: opening the graph and writing included."""
    from gpu import open_session
    from operations.scoring import PanelContexts, Scorer, score_signs
    from store import ReleaseStore, Store
    from store.panels import Panel

    with Store.open(f"sqlite:///{folder / 'store.db'}") as store:
        entry = store.ledger.champion(NAME)
    if entry is None or entry.manifest.forecast is None:
        raise AssertionError
    releases = ReleaseStore(folder / "releases")
    started = time.perf_counter()
    session = open_session(releases.path(entry.manifest.sha256), threads=2)
    scorer = Scorer(NAME, entry.manifest.version, entry.manifest.forecast, session)
    scorers = dict.fromkeys(entry.manifest.signs, scorer)
    result = score_signs(PanelContexts(Panel(panel_file)), scorers, folder / "forecasts.parquet")
    return {"seconds": time.perf_counter() - started, "signs": sum(result.forecast.values())}


def _measure_gaps(folder: Path, hours: int) -> dict[str, float]:
    """Return how much worse strangers are forecast with gaps in every context: single readings, and hours on end."""
    from gpu import open_session
    from store import ReleaseStore, Store
    from training import Dataset, Series, parse_recipe, predict_with, roll, score

    with Store.open(f"sqlite:///{folder / 'store.db'}") as store:
        entry = store.ledger.champion(NAME)
    if entry is None:
        raise AssertionError
    predict = predict_with(open_session(ReleaseStore(folder / "releases").path(entry.manifest.sha256), threads=2))
    recipe = parse_recipe(recipe_table(folder / "history.parquet", hours), "The benchmark's recipe", folder)
    values = draw_values(STRANGERS, hours, seed=STRANGERS_SEED)
    strangers = [Series(f"stranger.{number}", START_MS, HOUR_MS // 1000, row) for number, row in enumerate(values)]
    windows = Dataset.of(recipe, strangers).gate().thinned(GAP_WINDOWS)
    errors = []
    for run in (0, 1, GAP_HOURS):
        random = np.random.default_rng(run)

        def ask(feeds: dict[str, NDArray[np.float32]], run: int = run, random: np.random.Generator = random) -> Any:
            return predict({"context": strike_out(feeds["context"], GAP_SHARE, run, random)})

        errors.append(score(roll(ask, windows, SEASON)).pooled["mae"])
    whole, single, runs = errors
    return {"missing_30_cost": single / whole - 1, f"missing_30_in_{GAP_HOURS}_h_runs_cost": runs / whole - 1}


def strike_out(
    contexts: NDArray[np.float32], share: float, run: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return contexts with a share of their readings missing, in runs of so many; a run of 0 strikes out nothing."""
    if run == 0:
        return contexts
    rows, length = contexts.shape
    stretches = -(-length // run)
    count = round(share * stretches)
    chosen = random.random((rows, stretches)).argsort(1) < count  # just so many of each row's stretches
    return np.where(np.repeat(chosen, run, 1)[:, :length], np.float32(np.nan), contexts)


def recipe_table(panel: Path, hours: int) -> dict[str, Any]:
    """Return the recipe of a global ridge on a drawn panel: a twelfth of the time each to choose, judge and tell."""
    start, part = from_ms(START_MS), timedelta(hours=hours // 12)
    ends = [start + timedelta(hours=hours) - part * back for back in (3, 2, 1, 0)]
    spans = zip(("train", "validation", "gate", "report"), [start, *ends[:3]], ends, strict=True)
    return {
        "name": NAME,
        "title": "Every drawn sign in one model",
        "data": {"source": "panel", "path": str(panel), "interval_s": HOUR_MS // 1000},
        "windows": {name: {"start": first, "end": end} for name, first, end in spans},
        "forecast": {"context": CONTEXT, "horizon": HORIZON, "minimum_observed": SEASON},
        "model": {
            "family": "ridge",
            "options": {"season": SEASON, "scaled": True, "prior_seasons": [0, 1, 7], "penalties": [0.01, 0.1, 1.0]},
        },
        "gates": {"mae_ratio": 0.9, "season": SEASON, "latency_p95_ms": 20.0},
    }


BENCHMARK = Benchmark(
    "thousands of drawn signs in one model: time and memory of training and scoring", configure, measure
)
