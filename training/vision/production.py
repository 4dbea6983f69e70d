"""From a recipe to a judged, registered detector: inspect, fit, merge, evaluate, gate, register. Also imports one."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contracts import GateResult, Task, decode_picture
from gpu import Session, measure_latency, open_session
from models.vision import DetectorSpec, Head, export_detector, load_graph
from registry import ManifestDraft, Registry, Run, Version, at_least, at_most
from training import TrainingResult

from .accuracy import Accuracy, Boxes, measure_accuracy
from .dataset import LabelledPicture, PictureSet, Split
from .fitting import fit_in_process
from .forms import read_pictures
from .inspection import Inspection, InspectionPolicy, inspect
from .recipe import DetectRecipe, GatesSection

REVISION = "1"
"""Raised whenever a change to this code changes what training would produce."""
LATENCY_RUNS = 50

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of a detector: accuracy by split and slice, parity (None for an import), latency."""

    accuracy: dict[tuple[Split, str], Accuracy]
    parity: float | None
    latency_p95_ms: float


def train_detector(
    recipe: DetectRecipe, registry: Registry, folder: Path, *, progress: Progress | None = None, force: bool = False
) -> TrainingResult:
    """Train a recipe and register the version that comes of it; one that fails its gates is registered as rejected.

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
    report = progress or (lambda _what, _share: None)
    report("inspecting", 0.0)
    found = _inspect(recipe)
    fingerprint = hashlib.sha256(f"{REVISION}{found.fingerprint}{recipe.fingerprint}".encode()).hexdigest()
    known = None if force else registry.find(fingerprint, recipe.name)
    if known is not None:
        return _result(known, reused=True)
    parameters = recipe.model_dump(mode="json")
    with registry.run(recipe.name, recipe.model.architecture, parameters=parameters) as run:
        _log_inspection(found, run)
        work = folder / fingerprint[:16]
        work.mkdir(parents=True, exist_ok=True)

        def on_epoch(entry: dict[str, Any]) -> None:
            run.log_metrics({_metric_name(key): value for key, value in entry["metrics"].items()}, entry["epoch"])
            report("fitting", 0.1 + 0.7 * entry["epoch"] / entry["epochs"])

        fitted = fit_in_process(recipe, found.data, work, on_epoch)
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
            found.data,
            gates=recipe.gates,
            registry=registry,
            run=run,
            parity=fitted.parity,
            fingerprint=fingerprint,
        )
    report("done", 1.0)
    return _result(version, reused=False)


def import_detector(
    name: str, spec: DetectorSpec, core: Path, folder: Path, registry: Registry, *, gates: GatesSection
) -> TrainingResult:
    """Register a network that was trained elsewhere, judged on labelled pictures like our own.

    Args:
        name: to register it under.
        spec: how its input is made and its output is read.
        core: its ONNX file.
        folder: labelled pictures with a validation split.
        registry: where it is registered.
        gates: what it must reach.

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
        _log_inspection(found, run)
        version = _prove(name, spec, core, found.data, gates=gates, registry=registry, run=run, parity=None)
    return _result(version, reused=False)


def find_boxes(session: Session, pictures: list[LabelledPicture]) -> tuple[list[Boxes], list[Boxes]]:
    """Run a detector over labelled pictures; returns labelled and found boxes in pixels, picture by picture."""
    labelled, found = [], []
    for picture in pictures:
        pixels = decode_picture(picture.path.read_bytes(), name=str(picture.path))
        answer = session.run({"image": pixels})
        height, width = pixels.shape[:2]
        labelled.append(Boxes(picture.boxes * [width, height, width, height], picture.classes))
        found.append(Boxes(answer["boxes"], answer["classes"], answer["scores"]))
    return labelled, found


def evaluate(session: Session, data: PictureSet) -> dict[tuple[Split, str], Accuracy]:
    """Measure accuracy on every slice of validation and test."""
    return {
        (split, name): measure_accuracy(*find_boxes(session, data.of(split, name)), classes=len(data.labels))
        for split in (Split.VALIDATION, Split.TEST)
        for name in data.slices(split)
    }


def judge_detector(evidence: Evidence, limits: GatesSection) -> tuple[GateResult, ...]:
    """Return the verdict: accuracy on validation, every slice against the plain pictures, parity, latency."""
    plain = evidence.accuracy.get((Split.VALIDATION, ""))
    verdict = [at_least("map50", None if plain is None else plain.map50, limits.map50, "on validation")]
    for (split, name), accuracy in evidence.accuracy.items():
        base = evidence.accuracy.get((split, ""))
        if name and base is not None:
            drop = 1 - accuracy.map50 / base.map50 if base.map50 > 0 else float("nan")
            what = f"relative fall of map50 below the plain pictures of {split}"
            verdict.append(at_most(f"slice.{split}.{name}", drop, limits.slice_drop, what))
    if evidence.parity is not None:
        verdict.append(at_most("parity", evidence.parity, limits.parity, "relative error against torch"))
    verdict.append(at_most("latency", evidence.latency_p95_ms, limits.latency_p95_ms, "p95 of one picture in ms"))
    return tuple(verdict)


def _inspect(recipe: DetectRecipe) -> Inspection:
    options = recipe.data
    policy = InspectionPolicy(options.labels, leave_out=options.leave_out, split_again=options.split_again)
    found = inspect(read_pictures(recipe.pictures, options.form), policy)
    found.require_sound(f"The data set {recipe.pictures}")
    return found


def _log_inspection(found: Inspection, run: Run) -> None:
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
    data: PictureSet,
    *,
    gates: GatesSection,
    registry: Registry,
    run: Run,
    parity: float | None,
    fingerprint: str = "",
) -> Version:
    with tempfile.TemporaryDirectory() as scratch:
        path, golden = Path(scratch) / "detector.onnx", Path(scratch) / "golden.npz"
        export_detector(spec, load_graph(core), path)
        session = open_session(path)
        feeds = {"image": _example(data)}
        arrays: dict[str, Any] = {"inputs/image": feeds["image"]}
        arrays |= {f"outputs/{key}": value for key, value in session.run(feeds).items()}
        np.savez(golden, **arrays)
        latency = measure_latency(session, feeds, runs=LATENCY_RUNS)
        evidence = Evidence(evaluate(session, data), parity, latency.p95_ms)
        figures = _figures(evidence, data.labels)
        run.log_metrics(figures)
        draft = ManifestDraft(
            task=Task.DETECT,
            labels=spec.labels,
            metadata={"family": spec.family, "detector": spec.model_dump(mode="json")},
            metrics={key: value for key, value in figures.items() if key.endswith("map50") or "latency" in key},
        )
        run.log_text(_card(name, spec, evidence), "model_card.md")
        verdict = judge_detector(evidence, gates)
        return registry.register(name, path, draft, verdict, run, golden=golden, fingerprint=fingerprint)


def _example(data: PictureSet) -> np.ndarray:
    return decode_picture(data.of(Split.VALIDATION)[0].path.read_bytes())


def _figures(evidence: Evidence, labels: tuple[str, ...]) -> dict[str, float]:
    figures = {"latency_p95_ms": evidence.latency_p95_ms}
    if evidence.parity is not None:
        figures["onnx_parity"] = evidence.parity
    for (split, name), accuracy in evidence.accuracy.items():
        prefix = f"{split}.{name or 'plain'}"
        values = asdict(accuracy)
        by_class = values.pop("class_map50")
        figures |= {f"{prefix}.{key}": float(value) for key, value in values.items()}
        figures |= {f"{prefix}.class.{index}.map50": by_class[index] for index in range(len(labels))}
    return {key: value for key, value in figures.items() if np.isfinite(value)}


def _metric_name(key: str) -> str:
    return key.replace("(", "_").replace(")", "")


def _card(name: str, spec: DetectorSpec, evidence: Evidence) -> str:
    rows = "\n".join(
        f"| {split} | {condition or 'plain'} | {a.pictures} | {a.boxes} | {a.map50:.3f} | {a.map50_95:.3f} |"
        for (split, condition), a in evidence.accuracy.items()
    )
    return (
        f"# {name}\n\nA {spec.family} detector of {', '.join(spec.labels)} at {spec.size_px} px, one ONNX graph from a "
        "uint8 picture of any size to boxes in its pixels. Scores order boxes; they are no probabilities of a risk.\n\n"
        "| split | condition | pictures | boxes | mAP50 | mAP50-95 |\n|---|---|---|---|---|---|\n" + rows + "\n"
    )


def _result(version: Version, *, reused: bool) -> TrainingResult:
    return TrainingResult(
        version.name, version.version, version.passed, version.metrics, version.gates, reused, version.run_id
    )
