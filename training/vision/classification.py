"""From a recipe to a judged, registered classifier: inspect, fit, merge, evaluate, gate, register."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts import GateResult, Task, decode_picture
from gpu import Session, measure_latency, open_session
from models.vision import ClassifierSpec, export_classifier, load_graph
from registry import ManifestDraft, Registry, Run, Version, at_least, at_most
from training import TrainingResult

from .class_plots import plot_class_confusion, plot_class_pictures
from .dataset import LabelledPicture, PictureSet, Split
from .evidence import Part, judge_leaks
from .inspection import Inspection
from .production import (
    LATENCY_RUNS,
    REVISION,
    Progress,
    fit_tracked,
    inspect_pictures,
    log_inspection,
    result_of,
    stay_silent,
    write_golden,
)
from .recipe import ClassifyGatesSection, ClassifyRecipe


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a classifier answered to the pictures of one slice.

    Attributes:
        pictures: in order.
        labelled: (picture,) class index.
        scores: (picture, class).
    """

    pictures: tuple[LabelledPicture, ...]
    labelled: NDArray[np.int64]
    scores: NDArray[np.float32]

    @property
    def top1(self) -> float:
        """Share of pictures whose best class is the labelled one."""
        return self._within(1)

    @property
    def top5(self) -> float:
        """Share of pictures whose label is among the best five."""
        return self._within(5)

    def recall(self) -> NDArray[np.float64]:
        """Return (class,) the share of each class's pictures that are recognised; NaN where there is none."""
        right = self.scores.argmax(axis=1) == self.labelled
        counts = np.bincount(self.labelled, minlength=self.scores.shape[1])
        hits = np.bincount(self.labelled[right], minlength=self.scores.shape[1])
        return np.divide(hits, counts, out=np.full(len(counts), np.nan), where=counts > 0)

    def _within(self, count: int) -> float:
        if not len(self.labelled):
            return float("nan")
        best = np.argsort(-self.scores, axis=1, kind="stable")[:, :count]
        return float((best == self.labelled[:, None]).any(axis=1).mean())


def train_classifier(
    recipe: ClassifyRecipe, registry: Registry, folder: Path, *, progress: Progress | None = None, force: bool = False
) -> TrainingResult:
    """Train a recipe and register the version that comes of it; see :func:`.production.train_detector`.

    Raises:
        ConfigurationError: listing everything that is wrong with the data.
        ModelError: if the network cannot be had, fitted or exported.
    """
    report = progress or stay_silent
    found = inspect_pictures(recipe, report)
    fingerprint = hashlib.sha256(f"{REVISION}{found.fingerprint}{recipe.fingerprint}".encode()).hexdigest()
    known = None if force else registry.find(fingerprint, recipe.name)
    if known is not None:
        return result_of(known, reused=True)
    with registry.run(recipe.name, recipe.model.architecture, parameters=recipe.model_dump(mode="json")) as run:
        log_inspection(found, run)
        fitted = fit_tracked(recipe, found.data, folder / fingerprint[:16], run, report)
        family = recipe.model.architecture
        spec = ClassifierSpec(family=family, labels=found.data.labels, size_px=recipe.model.size_px)
        with tempfile.TemporaryDirectory(prefix="cityforge-") as scratch:
            path = Path(scratch) / "classifier.onnx"
            export_classifier(spec, load_graph(fitted.core), path)
            version = _prove(
                recipe, spec, path, found, registry=registry, run=run, parity=fitted.parity, fingerprint=fingerprint
            )
    report("done", 1.0)
    return result_of(version, reused=False)


def answer(session: Session, pictures: list[LabelledPicture]) -> Answers:
    """Run a classifier over labelled pictures."""
    scores = [
        session.run({"image": decode_picture(picture.path.read_bytes(), name=str(picture.path))})["scores"]
        for picture in pictures
    ]
    labelled = np.array([int(picture.classes[0]) for picture in pictures], dtype=np.int64)
    return Answers(tuple(pictures), labelled, np.array(scores, dtype=np.float32))


def judge_classifier(
    top1: dict[Part, float], limits: ClassifyGatesSection, *, parity: float, latency_p95_ms: float
) -> tuple[GateResult, ...]:
    """Return the verdict: accuracy on validation, every slice against the plain pictures, parity, latency."""
    verdict = [at_least("top1", top1.get((Split.VALIDATION, "")), limits.top1, "on validation")]
    for (split, name), value in top1.items():
        base = top1.get((split, ""))
        if name and base is not None:
            drop = 1 - value / base if base > 0 else float("nan")
            what = f"relative fall of top1 below the plain pictures of {split}"
            verdict.append(at_most(f"slice.{split}.{name}", drop, limits.slice_drop, what))
    verdict.append(at_most("parity", parity, limits.parity, "relative error against torch"))
    verdict.append(at_most("latency", latency_p95_ms, limits.latency_p95_ms, "p95 of one picture in ms"))
    return tuple(verdict)


def _prove(
    recipe: ClassifyRecipe,
    spec: ClassifierSpec,
    path: Path,
    found: Inspection,
    *,
    registry: Registry,
    run: Run,
    parity: float,
    fingerprint: str,
) -> Version:
    data, golden = found.data, path.with_name("golden.npz")
    session = open_session(path)
    feeds = write_golden(session, data, golden)
    latency = measure_latency(session, feeds, runs=LATENCY_RUNS)
    answers = _answers(session, data)
    figures = _figures(answers, data.labels) | {"latency_p95_ms": latency.p95_ms, "onnx_parity": parity}
    run.log_metrics(figures)
    plain = answers[Split.VALIDATION, ""]
    run.log_figure(plot_class_confusion(plain.labelled, plain.scores, data.labels, path.parent))
    run.log_figure(plot_class_pictures(plain.pictures, plain.labelled, plain.scores, data.labels, path.parent))
    run.log_text(_card(recipe.name, spec, answers), "model_card.md")
    verdict = judge_classifier(
        {part: one.top1 for part, one in answers.items()}, recipe.gates, parity=parity, latency_p95_ms=latency.p95_ms
    )
    draft = ManifestDraft(
        task=Task.CLASSIFY,
        labels=spec.labels,
        metadata={"family": spec.family, "classifier": spec.model_dump(mode="json")},
        metrics={key: value for key, value in figures.items() if key.endswith("top1") or "latency" in key},
    )
    gates = (*verdict, judge_leaks(found))
    return registry.register(recipe.name, path, draft, gates, run, golden=golden, fingerprint=fingerprint)


def _answers(session: Session, data: PictureSet) -> dict[Part, Answers]:
    return {
        (split, name): answer(session, data.of(split, name))
        for split in (Split.VALIDATION, Split.TEST)
        for name in data.slices(split)
    }


def _figures(answers: dict[Part, Answers], labels: tuple[str, ...]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for (split, name), one in answers.items():
        prefix = f"{split}.{name or 'plain'}"
        recall = one.recall()
        figures |= {f"{prefix}.top1": one.top1, f"{prefix}.top5": one.top5, f"{prefix}.pictures": len(one.labelled)}
        figures[f"{prefix}.mean_recall"] = float(np.nanmean(recall))
        figures |= {f"{prefix}.class.{index}.recall": float(recall[index]) for index in range(len(labels))}
    return {key: value for key, value in figures.items() if np.isfinite(value)}


def _card(name: str, spec: ClassifierSpec, answers: dict[Part, Answers]) -> str:
    rows = "\n".join(
        f"| {split} | {condition or 'plain'} | {len(one.labelled)} | {one.top1:.3f} | {one.top5:.3f} |"
        for (split, condition), one in answers.items()
    )
    return (
        f"# {name}\n\nA {spec.family} classifier of {', '.join(spec.labels)} at {spec.size_px} px, one ONNX graph from "
        "a uint8 picture of any size to a score for each class. Scores sum to one; they are not calibrated.\n\n"
        "| split | condition | pictures | top 1 | top 5 |\n|---|---|---|---|---|\n" + rows + "\n"
    )
