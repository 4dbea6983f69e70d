"""From a recipe to a judged, registered detector or segmenter: inspect, fit, merge, evaluate, gate, register.

Also imports a detector. A segmenter is a detector whose boxes have masks: only its graph and what is compared differ.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from contracts import Task, decode_picture
from gpu import Session, measure_latency, open_session
from models.vision import DetectorSpec, Head, export_detector, export_segmenter, load_graph
from registry import ManifestDraft, Registry, Run, Version
from training import TrainingResult

from .dataset import PictureSet, Split
from .evidence import (
    Evidence,
    box_figures_of,
    evaluate,
    figures_of,
    judge_detector,
    judge_leaks,
    suggested_score,
    table_of,
    write_card,
)
from .fitting import Fitted, fit_in_process
from .forms import read_pictures
from .inspection import Inspection, InspectionPolicy, inspect
from .plots import plot_all, plot_curves
from .recipe import DetectRecipe, GatesSection, SegmentRecipe, VisionRecipe

REVISION = "2"
"""Raised whenever a change to this code changes what training would produce."""
LATENCY_RUNS = 50
CHOSEN_BY = {"detect": "metrics/mAP50(B)", "segment": "metrics/mAP50(M)", "classify": "metrics/accuracy_top1"}
"""What is told of the best epoch so far."""

Progress = Callable[[str, float], None]
_EXPORTS = {Task.DETECT: export_detector, Task.SEGMENT: export_segmenter}


def train_detector(
    recipe: DetectRecipe | SegmentRecipe,
    registry: Registry,
    folder: Path,
    *,
    progress: Progress | None = None,
    force: bool = False,
) -> TrainingResult:
    """Train a detector or segmenter and register the version; one that fails its gates is registered as rejected.

    Args:
        recipe: what to train.
        registry: where runs are tracked and versions are kept.
        folder: where fits work; one that was killed goes on from there.
        progress: told what is being done and how much of it is done.
        force: train even if a finished version of the same data, recipe and code is registered.

    Raises:
        ConfigurationError: listing everything that is wrong with the data.
        ModelError: if the network cannot be had, fitted or exported.
    """
    report = progress or stay_silent
    report("inspecting", 0.0)
    found = inspect_pictures(recipe, report)
    fingerprint = hashlib.sha256(f"{REVISION}{found.fingerprint}{recipe.fingerprint}".encode()).hexdigest()
    known = None if force else registry.find(fingerprint, recipe.name)
    if known is not None:
        return result_of(known, reused=True)
    parameters = recipe.model_dump(mode="json")
    with registry.run(recipe.name, recipe.model.architecture, parameters=parameters) as run:
        log_inspection(found, run)
        fitted = fit_tracked(recipe, found.data, folder / fingerprint[:16], run, report)
        spec = DetectorSpec(
            family=recipe.model.architecture,
            labels=found.data.labels,
            size_px=recipe.model.size_px,
            head=Head.ULTRALYTICS,
        )
        report("evaluating", 0.8)
        version = _prove(
            recipe.name,
            spec,
            fitted.core,
            found,
            gates=recipe.gates,
            task=Task(recipe.task),
            registry=registry,
            run=run,
            parity=fitted.parity,
            fingerprint=fingerprint,
            progress=report,
        )
    report("done", 1.0)
    return result_of(version, reused=False)


def import_detector(
    name: str,
    spec: DetectorSpec,
    core: Path,
    folder: Path,
    registry: Registry,
    *,
    gates: GatesSection,
    progress: Progress | None = None,
) -> TrainingResult:
    """Register a network that was trained elsewhere, judged on labelled pictures like our own.

    Args:
        name: to register it under.
        spec: how its input is made and its output is read.
        core: its ONNX file.
        folder: labelled pictures with a validation split.
        registry: where it is registered.
        gates: what it must reach.
        progress: told what is being done and how much of it is done.

    Raises:
        ArtefactError: if the file is no ONNX graph.
        ModelError: if it does not fit its spec.
        ConfigurationError: if the pictures cannot be used.
    """
    data = read_pictures(folder)
    found = inspect(data, InspectionPolicy(labels=spec.labels, split_again=True, training=False))
    found.require_sound(f"The data set {folder}")
    parameters = {"imported": core.name, "spec": spec.model_dump(mode="json"), "gates": gates.model_dump()}
    with registry.run(name, f"import-{spec.family}", parameters=parameters) as run:
        log_inspection(found, run)
        version = _prove(
            name,
            spec,
            core,
            found,
            gates=gates,
            task=Task.DETECT,
            registry=registry,
            run=run,
            parity=None,
            progress=progress or stay_silent,
        )
    return result_of(version, reused=False)


def stay_silent(_what: str, _share: float) -> None:
    """Take no notice of progress."""


def fit_tracked(recipe: VisionRecipe, data: PictureSet, folder: Path, run: Run, report: Progress) -> Fitted:
    """Fit in a process of its own; every epoch's figures and the curves are kept with the run."""
    folder.mkdir(parents=True, exist_ok=True)
    best = float("nan")

    def on_epoch(entry: dict[str, Any]) -> None:
        nonlocal best
        run.log_metrics({_metric_name(key): value for key, value in entry["metrics"].items()}, entry["epoch"])
        best = np.fmax(best, entry["metrics"].get(CHOSEN_BY[recipe.task], float("nan")))
        so_far = "" if np.isnan(best) else f", best so far {best:.3f}"
        left = f"fitting, epoch {entry['epoch']} of {entry['epochs']}{so_far}"
        report(left, 0.1 + 0.7 * entry["epoch"] / entry["epochs"])

    report("fitting", 0.1)
    fitted = fit_in_process(recipe, data, folder, on_epoch)
    run.log_figure(plot_curves(fitted.epochs, folder))
    return fitted


def write_golden(session: Session, data: PictureSet, path: Path) -> dict[str, np.ndarray]:
    """Keep what a graph answers to the first validation picture; returns the request."""
    feeds = {"image": decode_picture(data.of(Split.VALIDATION)[0].path.read_bytes())}
    arrays: dict[str, Any] = {"inputs/image": feeds["image"]}
    arrays |= {f"outputs/{key}": value for key, value in session.run(feeds).items()}
    np.savez(path, **arrays)
    return feeds


def inspect_pictures(recipe: VisionRecipe, report: Progress) -> Inspection:
    """Read and inspect the pictures of a recipe.

    Raises:
        ConfigurationError: listing everything that is wrong with them.
    """
    options = recipe.data
    policy = InspectionPolicy(
        options.labels,
        leave_out=options.leave_out,
        split_again=options.split_again,
        negatives=recipe.task != "classify",
        outlines=recipe.task == "segment",
    )
    data = read_pictures(recipe.pictures, options.form)
    found = inspect(data, policy, lambda done, total: report("inspecting", 0.1 * done / total))
    found.require_sound(f"The data set {recipe.pictures}")
    return found


def log_inspection(found: Inspection, run: Run) -> None:
    """Keep the fingerprint and the report of an inspection with a run."""
    run.log_dataset("pictures", found.fingerprint, rows=len(found.data.pictures))
    report = {
        "warnings": [str(warning) for warning in found.warnings],
        "leaks": found.leaks,
        "boxes": {split.value: dict(zip(found.data.labels, n, strict=True)) for split, n in found.class_boxes.items()},
        "scenes": len(np.unique(found.groups)),
    }
    run.log_json(report, "inspection.json")


def _prove(  # noqa: PLR0913 - everything a version is made of meets here
    name: str,
    spec: DetectorSpec,
    core: Path,
    inspection: Inspection,
    *,
    gates: GatesSection,
    task: Task,
    registry: Registry,
    run: Run,
    parity: float | None,
    fingerprint: str = "",
    progress: Progress,
) -> Version:
    data = inspection.data
    with tempfile.TemporaryDirectory(prefix="cityforge-") as scratch:
        folder = Path(scratch)
        path, golden = folder / "detector.onnx", folder / "golden.npz"
        _EXPORTS[task](spec, load_graph(core), path)
        session = open_session(path)
        feeds = write_golden(session, data, golden)
        latency = measure_latency(session, feeds, runs=LATENCY_RUNS)
        findings = evaluate(session, data, lambda share: progress("evaluating", 0.8 + 0.15 * share))
        evidence = Evidence({part: one.accuracy for part, one in findings.items()}, parity, latency.p95_ms)
        figures = figures_of(evidence, data.labels) | box_figures_of(findings)
        run.log_metrics(figures)
        least_score = suggested_score(evidence)
        progress("drawing", 0.95)
        for file in plot_all(
            findings, data.labels, slice_drop=gates.slice_drop, least_score=least_score, folder=folder
        ):
            run.log_figure(file)
        run.log_json(table_of(evidence, data.labels), "accuracy.json")
        run.log_text(write_card(name, spec, evidence, least_score, task), "model_card.md")
        draft = ManifestDraft(
            task=task,
            labels=spec.labels,
            metadata={
                "family": spec.family,
                "detector": spec.model_dump(mode="json"),
                "suggested_score": least_score,
            },
            metrics={key: value for key, value in figures.items() if key.endswith("map50") or "latency" in key},
        )
        verdict = (*judge_detector(evidence, gates), judge_leaks(inspection))
        return registry.register(name, path, draft, verdict, run, golden=golden, fingerprint=fingerprint)


def _metric_name(key: str) -> str:
    return key.replace("(", "_").replace(")", "")


def result_of(version: Version, *, reused: bool) -> TrainingResult:
    """Return what the caller of a training is told."""
    return TrainingResult(
        version.name, version.version, version.passed, version.metrics, version.gates, reused, version.run_id
    )
