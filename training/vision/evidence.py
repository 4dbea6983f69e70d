"""What was measured of a detector or segmenter, and what the gates say to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from contracts import Array, GateResult, Task, decode_picture
from gpu import Session
from models.vision import DetectorSpec
from registry import at_least, at_most

from .accuracy import MAXIMUM_BOXES, Accuracy, Boxes, measure_accuracy
from .dataset import LabelledPicture, PictureSet, Split
from .inspection import Inspection
from .masks import draw_outline, stretch_mask
from .recipe import GatesSection
from .twins import leaking_groups

MASKS = "masks"
_WORDS = {
    Task.DETECT: ("detector", "boxes in its pixels"),
    Task.SEGMENT: (
        "segmenter",
        "boxes in its pixels, each with a mask to stretch over it; accuracy is of masks",
    ),
}
Part = tuple[Split, str]
"""A split and one of its slices; "" is the plain pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a detector found in one slice of one split.

    Attributes:
        pictures: in order.
        labelled: boxes of each picture, in its pixels.
        found: boxes of each picture, with scores.
        accuracy: how well they agree; of a segmenter's masks, where it has them.
        box_accuracy: how well the boxes of masks agree; None where there are no masks.
    """

    pictures: tuple[LabelledPicture, ...]
    labelled: tuple[Boxes, ...]
    found: tuple[Boxes, ...]
    accuracy: Accuracy
    box_accuracy: Accuracy | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of a detector: accuracy by split and slice, parity (None for an import), latency."""

    accuracy: dict[Part, Accuracy]
    parity: float | None
    latency_p95_ms: float


def find_boxes(
    session: Session, pictures: Sequence[LabelledPicture], on_picture: Callable[[], None] | None = None
) -> tuple[list[Boxes], list[Boxes]]:
    """Run a detector or segmenter over labelled pictures.

    Args:
        session: of its graph.
        pictures: in order.
        on_picture: called after each.

    Returns:
        Labelled and found boxes in pixels, picture by picture.
    """
    labelled, found = [], []
    for picture in pictures:
        pixels = decode_picture(picture.path.read_bytes(), name=str(picture.path))
        answer = session.run({"image": pixels})
        height, width = pixels.shape[:2]
        truth = Boxes(picture.boxes * [width, height, width, height], picture.classes)
        seen = Boxes(answer["boxes"], answer["classes"], answer["scores"])
        if MASKS in answer:
            truth = replace(truth, masks=tuple(draw_outline(outline, width, height) for outline in picture.outlines))
            seen = _with_masks(seen, answer[MASKS], width, height)
        labelled.append(truth)
        found.append(seen)
        if on_picture is not None:
            on_picture()
    return labelled, found


def _with_masks(seen: Boxes, masks: Array, width: int, height: int) -> Boxes:
    """Return the best boxes, as many as count, with their masks in pixels of the picture."""
    best = slice(MAXIMUM_BOXES)
    stretched = tuple(
        stretch_mask(mask, box, width, height) for mask, box in zip(masks[best], seen.boxes[best], strict=True)
    )
    scores = None if seen.scores is None else seen.scores[best]
    return Boxes(seen.boxes[best], seen.classes[best], scores, stretched)


def evaluate(
    session: Session, data: PictureSet, progress: Callable[[float], None] | None = None
) -> dict[Part, Findings]:
    """Run a detector or segmenter over every slice of validation and test.

    Args:
        session: of its graph.
        data: labelled pictures.
        progress: told the share that is done.
    """
    parts = [(split, name) for split in (Split.VALIDATION, Split.TEST) for name in data.slices(split)]
    total, done = sum(len(data.of(*part)) for part in parts), 0

    def on_picture() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done / total)

    findings = {}
    for part in parts:
        pictures = data.of(*part)
        labelled, found = find_boxes(session, pictures, on_picture)
        accuracy = measure_accuracy(labelled, found, classes=len(data.labels))
        of_boxes = None
        if any(one.masks is not None for one in found):
            bare, seen = ([replace(one, masks=None) for one in side] for side in (labelled, found))
            of_boxes = measure_accuracy(bare, seen, classes=len(data.labels))
        findings[part] = Findings(tuple(pictures), tuple(labelled), tuple(found), accuracy, of_boxes)
    return findings


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


def judge_leaks(inspection: Inspection) -> GateResult:
    """Return whether any scene still lies in more than one split of the pictures that were used."""
    left = len(leaking_groups(inspection.data.pictures, inspection.groups))
    found = f"scenes in more than one split ({len(inspection.leaks)} before they were dealt out again)"
    return at_most("leakage", left, 0, found)


def suggested_score(evidence: Evidence) -> float:
    """Return the score with the best balance of misses and false boxes on the plain validation pictures."""
    plain = evidence.accuracy.get((Split.VALIDATION, ""))
    return 0.0 if plain is None or plain.curves is None else plain.curves.best_score()


def figures_of(evidence: Evidence, labels: tuple[str, ...]) -> dict[str, float]:
    """Return every figure by its name on the run, such as ``test.night.map50``; what is not finite is left out."""
    figures = {"latency_p95_ms": evidence.latency_p95_ms}
    if evidence.parity is not None:
        figures["onnx_parity"] = evidence.parity
    for (split, name), accuracy in evidence.accuracy.items():
        prefix = f"{split}.{name or 'plain'}"
        values = asdict(accuracy)
        values.pop("curves")
        by_class = values.pop("class_map50")
        figures |= {f"{prefix}.{key}": float(value) for key, value in values.items()}
        figures |= {f"{prefix}.class.{index}.map50": by_class[index] for index in range(len(labels))}
    return {key: value for key, value in figures.items() if np.isfinite(value)}


def box_figures_of(findings: Mapping[Part, Findings]) -> dict[str, float]:
    """Return how well the boxes of masks agree, such as ``val.plain.box_map50``; nothing for a detector."""
    return {
        f"{split}.{name or 'plain'}.box_map50": one.box_accuracy.map50
        for (split, name), one in findings.items()
        if one.box_accuracy is not None and np.isfinite(one.box_accuracy.map50)
    }


def table_of(evidence: Evidence, labels: tuple[str, ...]) -> list[dict[str, object]]:
    """Return accuracy as rows for people and programs: one for each split, slice and class that has boxes."""
    return [
        {
            "split": str(split),
            "slice": name or "plain",
            "class": label,
            "map50": round(value, 4),
            "pictures": accuracy.pictures,
        }
        for (split, name), accuracy in evidence.accuracy.items()
        for label, value in (("all", accuracy.map50), *zip(labels, accuracy.class_map50, strict=True))
        if np.isfinite(value)
    ]


def write_card(name: str, spec: DetectorSpec, evidence: Evidence, least_score: float, task: Task) -> str:
    """Write what people should know before they trust the model, as Markdown."""
    rows = "\n".join(
        f"| {split} | {condition or 'plain'} | {a.pictures} | {a.boxes} | {a.map50:.3f} | {a.map50_95:.3f} |"
        for (split, condition), a in evidence.accuracy.items()
    )
    kind, answers = _WORDS[task]
    return (
        f"# {name}\n\nA {spec.family} {kind} of {', '.join(spec.labels)} at {spec.size_px} px, one ONNX graph from a "
        f"uint8 picture of any size to {answers}. Scores order boxes; they are no probabilities of a risk. "
        f"On validation the best balance of misses and false boxes lies at a score of {least_score:.2f}.\n\n"
        "| split | condition | pictures | boxes | mAP50 | mAP50-95 |\n|---|---|---|---|---|---|\n" + rows + "\n"
    )
