"""From a recipe to a judged, registered version: read, fit, evaluate, export, prove, gate, register."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from contracts import HIERARCHY, GateResult, Task, format_utc, to_ms
from gpu import Session, measure_latency, open_session
from models.forecasting import Forecaster, build_forecaster, export_onnx
from registry import GateEvidence, GateLimits, ManifestDraft, Registry, Run, Version, judge, relative_error

from .auto import AUTO
from .card import write_card
from .checkpoint import Checkpoint
from .coherence import choose_coherence, measure_coherence
from .dataset import Dataset
from .evaluation import Predict, RollingForecasts, Scores, roll, score
from .fitting import Epoch, Progress, fit
from .plots import plot_evaluation
from .recipe import Recipe
from .search import search_recipe

REVISION = "2"
"""Raised whenever a change to this code changes what training would produce."""

PARITY_WINDOWS = 64
LATENCY_RUNS = 200
_MISSING_SHARE = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What training made.

    Attributes:
        name: registered name of the model.
        version: its version.
        passed: whether it passed every gate.
        figures: name → figure on the gate window.
        gates: the verdict.
        reused: whether a finished version of the same data, recipe and code was found.
        run_id: of the tracked run.
    """

    name: str
    version: int
    passed: bool
    figures: Mapping[str, float]
    gates: tuple[GateResult, ...]
    reused: bool
    run_id: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A fitted and exported forecaster with all that was measured of it."""

    path: Path
    golden: Path
    rolled: RollingForecasts
    scores: Scores
    gates: tuple[GateResult, ...]
    figures: dict[str, float]


def train(
    recipe: Recipe,
    registry: Registry,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> TrainingResult:
    """Train a recipe and register the version that comes of it.

    A version that fails its gates is registered as rejected.

    Args:
        recipe: what to train.
        registry: where runs are tracked and versions are kept.
        folder: where a fit is kept after each epoch; one that was killed goes on from there and ends the same. None
            keeps nothing.
        progress: told what is being done and how much of it is done.
        force: train even if a finished version of the same data, recipe and code is registered.

    Raises:
        DataError: if the data cannot be read or is too short for a window.
        ModelError: if the model cannot be built, fitted or exported.
    """
    report = progress or _silent
    report("reading", 0.0)
    dataset = Dataset.read(recipe)
    fingerprint = _fingerprint(dataset)
    found = None if force else registry.find(fingerprint, recipe.name)
    if found is not None:
        report("reused", 1.0)
        return _result(found, reused=True)
    kept = None if folder is None else folder / fingerprint[:16]
    tags = {"family": recipe.model.family, "fingerprint": fingerprint}
    with (
        registry.run(recipe.name, recipe.model.family, parameters=_parameters(recipe), tags=tags) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        _log_data(dataset, run)
        if recipe.model.family == AUTO:
            dataset = _search(dataset, registry, run, kept or Path(scratch, "search"), report)
        forecaster = _fit(dataset, run, None if kept is None else Checkpoint(kept / "fit"), report)
        report("evaluating", 0.7)
        candidate = _prove(forecaster, dataset, Path(scratch))
        if dataset.hierarchy is not None:
            dataset = _reconcile(candidate.path, dataset, run)
        _log_candidate(candidate, dataset, forecaster.describe(), run)
        report("registering", 0.9)
        version = _register(candidate, dataset, registry, run, fingerprint)
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
    report("done", 1.0)
    return _result(version, reused=False)


def _search(dataset: Dataset, registry: Registry, run: Run, folder: Path, report: Progress) -> Dataset:
    """Return the dataset with the recipe that a search chose, and write down how it came to that."""
    found = search_recipe(dataset, registry, run, folder, report)
    run.log_metrics(
        {"search.loss": found.loss, "search.trials": found.trials, "search.seconds": found.seconds}
        | {f"search.loss.{family}": loss for family, loss in found.best_by_family.items()}
    )
    run.set_tags({"search.family": found.recipe.model.family})
    run.log_json(found.recipe.model_dump(mode="json"), "chosen_recipe.json")
    return replace(dataset, recipe=found.recipe)


def _fit(dataset: Dataset, run: Run, checkpoint: Checkpoint | None, report: Progress) -> Forecaster:
    recipe = dataset.recipe
    torch.manual_seed(recipe.fitting.seed)
    forecaster = build_forecaster(recipe.model.family, recipe.spec, recipe.model.options)
    windows = dataset.train(recipe.fitting.batch_size), dataset.validation()
    _log_epochs(fit(forecaster, *windows, recipe.fitting, report, checkpoint=checkpoint), run)
    return forecaster


def evaluate_report(recipe: Recipe, session: Session) -> dict[str, float]:
    """Open the report window and return the figures of a released graph on it. Each opening is logged.

    Args:
        recipe: says what the report window is.
        session: the open graph.

    Returns:
        ``mae``, ``mae_last_value``, ``mae_seasonal_naive``, ``mae_ratio``, ``rmse``, ``coverage_90``, ``width_90``,
        ``pinball``, ``wql``, pooled over the horizon, ``count`` of judged targets, and ``mae_ratio_last_step``.
    """
    window = recipe.windows.report
    _log.info(
        "The report window of %s was opened: %s to %s.",
        recipe.name,
        format_utc(to_ms(window.start)),
        format_utc(to_ms(window.end)),
    )
    scores = score(roll(predict_with(session), Dataset.read(recipe).report(), recipe.gates.season))
    return {**scores.pooled, "count": scores.count, "mae_ratio_last_step": float(scores.by_horizon["mae_ratio"][-1])}


def predict_with(session: Session) -> Predict:
    """Return a function from input tensors to quantiles that asks an open graph."""

    def predict(feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.asarray(session.run(feeds)["quantiles"], dtype=np.float32)

    return predict


def _prove(forecaster: Forecaster, dataset: Dataset, scratch: Path) -> _Candidate:
    path = scratch / "model.onnx"
    export_onnx(forecaster, path)
    session = open_session(path)
    recipe = dataset.recipe
    rolled = roll(predict_with(session), dataset.gate(), recipe.gates.season)
    scores = score(rolled)
    feeds = _parity_feeds(dataset)
    with torch.no_grad():
        expected = forecaster(**{name: torch.from_numpy(array) for name, array in feeds.items()}).numpy()
    given = session.run(feeds)["quantiles"]
    golden = scratch / "golden.npz"
    inputs = {f"inputs/{name}": array for name, array in feeds.items()}
    arrays: dict[str, Any] = {**inputs, "outputs/quantiles": given}
    np.savez(golden, **arrays)
    parity = relative_error(expected, given)
    latency = measure_latency(session, {name: array[:1] for name, array in feeds.items()}, runs=LATENCY_RUNS)
    evidence = GateEvidence(
        loss=scores.pooled["mae"],
        baseline_losses={name: scores.pooled[f"mae_{name}"] for name in ("last_value", "seasonal_naive")},
        loss_name="mae",
        parity_error=parity,
        latency=latency,
        actual=rolled.actual,
        low=rolled.low,
        high=rolled.high,
    )
    measured = {"onnx_parity": parity, "latency_p50_ms": latency.p50_ms, "latency_p95_ms": latency.p95_ms}
    figures = {**scores.pooled, **measured}
    return _Candidate(path, golden, rolled, scores, tuple(judge(evidence, _limits(recipe))), figures)


def _reconcile(path: Path, dataset: Dataset, run: Run) -> Dataset:
    """Return the dataset with the weights that make its forecasts add up, chosen on the validation window."""
    predict = predict_with(open_session(path))
    chosen = choose_coherence(dataset, predict)
    measured = measure_coherence(dataset, predict, chosen.hierarchy, dataset.recipe.windows.gate)
    run.log_metrics({f"hierarchy.{name}": value for name, value in measured.items()})
    run.log_metrics({f"hierarchy.validation.{method}": loss for method, loss in chosen.losses.items()})
    run.set_tags({"hierarchy.method": chosen.method})
    return replace(dataset, hierarchy=chosen.hierarchy)


def _limits(recipe: Recipe) -> GateLimits:
    low, high = recipe.gates.coverage
    return GateLimits(
        max_loss_ratio=recipe.gates.mae_ratio,
        max_parity_error=recipe.gates.parity,
        max_latency_p95_ms=recipe.gates.latency_p95_ms,
        interval_level=0.9,
        min_coverage=low,
        max_coverage=high,
    )


def _parity_feeds(dataset: Dataset) -> dict[str, NDArray[np.float32]]:
    """Return windows of the gate window, spread over it, with further readings struck out."""
    windows = dataset.gate()
    numbers = np.unique(np.linspace(0, len(windows) - 1, PARITY_WINDOWS).astype(np.int64))
    batch = windows.take(numbers)
    context = batch.context.numpy().copy()
    struck = np.random.default_rng(0).random(context.shape) < _MISSING_SHARE
    context[struck] = np.nan
    return {name: tensor.numpy() for name, tensor in batch.inputs.items()} | {"context": context}


def _register(candidate: _Candidate, dataset: Dataset, registry: Registry, run: Run, fingerprint: str) -> Version:
    recipe = dataset.recipe
    draft = ManifestDraft(
        task=Task.FORECAST,
        signs=tuple(one.sign for one in dataset.series),
        metadata={
            "family": recipe.model.family,
            "recipe": recipe.model_dump(mode="json"),
            "data_fingerprint": dataset.fingerprint,
            **({} if dataset.hierarchy is None else {HIERARCHY: dataset.hierarchy.to_json()}),
            **({} if dataset.covariates is None else {"covariates": dataset.covariates.to_json()}),
        },
        metrics=candidate.figures,
    )
    return registry.register(
        recipe.name, candidate.path, draft, candidate.gates, run, fingerprint=fingerprint, golden=candidate.golden
    )


def _log_data(dataset: Dataset, run: Run) -> None:
    rows = sum(len(one.values) for one in dataset.series)
    run.log_dataset(
        dataset.recipe.data.source, dataset.fingerprint, rows=rows, source=dataset.recipe.data.source, context="train"
    )


def _log_epochs(epochs: list[Epoch], run: Run) -> None:
    for epoch in epochs:
        run.log_metrics({"train_loss": epoch.train, "validation_loss": epoch.validation}, step=epoch.number)


def _log_candidate(candidate: _Candidate, dataset: Dataset, chosen: Mapping[str, float | int | str], run: Run) -> None:
    run.log_metrics(candidate.figures)
    for name in ("mae", "rmse", "coverage_90", "mae_last_value", "mae_seasonal_naive"):
        for step, value in enumerate(candidate.scores.by_horizon[name], 1):
            run.log_metrics({f"{name}_by_horizon": float(value)}, step=step)
    for path in plot_evaluation(dataset, candidate.rolled, candidate.scores, candidate.path.parent):
        run.log_figure(path)
    run.log_text(write_card(dataset, candidate.scores, candidate.gates, chosen), "model_card.md")


def _parameters(recipe: Recipe) -> dict[str, object]:
    """Return the recipe's settings with dotted names."""
    flat: dict[str, object] = {}

    def flatten(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                flatten(f"{prefix}.{key}" if prefix else str(key), inner)
        else:
            flat[prefix] = value

    flatten("", recipe.model_dump(mode="json"))
    return flat


def _fingerprint(dataset: Dataset) -> str:
    parts = (dataset.fingerprint, dataset.recipe.fingerprint, REVISION)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _result(version: Version, *, reused: bool) -> TrainingResult:
    return TrainingResult(
        name=version.name,
        version=version.version,
        passed=all(gate.passed for gate in version.gates),
        figures=dict(version.metrics),
        gates=tuple(version.gates),
        reused=reused,
        run_id=version.run_id,
    )


def _silent(stage: str, share: float) -> None:
    """Report to nobody."""
