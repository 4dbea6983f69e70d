"""How good boxes and masks are: mean average precision as COCO defines it, over all and by class.

The COCO evaluation itself is the package faster-coco-eval's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from contracts import Array

from .masks import Mask, mask_area

IOU_MATCH = 0.5
MAXIMUM_BOXES = 100
"""The best of each picture that count."""
_MAP, _MAP50, _RECALL = 0, 1, 8


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes of one picture.

    Attributes:
        boxes: (box, 4) left, top, right, bottom in pixels.
        classes: (box,) int64.
        scores: (box,); None for labelled boxes.
        masks: one a box, of things that are outlined; None where only boxes are known.
    """

    boxes: Array
    classes: Array
    scores: Array | None = None
    masks: tuple[Mask, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Precision over recall at an overlap of .50, interpolated as COCO does.

    Attributes:
        precision: (101, class) at recalls 0, .01, ..., 1; NaN in columns of classes without a labelled box.
        scores: (101, class) lowest score of the boxes that reach that recall; 0 where it is never reached.
    """

    precision: NDArray[np.float64]
    scores: NDArray[np.float64]

    def best_score(self) -> float:
        """Return the score whose boxes have the best mean F1 over classes: where an application may cut."""
        recall = np.linspace(0, 1, len(self.precision))[:, None]
        reached = np.where(self.scores > 0, 2 * self.precision * recall / (self.precision + recall + 1e-12), 0)
        known = ~np.isnan(self.precision).any(axis=0)
        candidates = np.unique(self.scores[:, known].round(3))
        f1 = [_mean_f1(reached[:, known], self.scores[:, known], score) for score in candidates]
        return float(candidates[int(np.argmax(f1))]) if f1 else 0.0


def _mean_f1(f1: NDArray[np.float64], scores: NDArray[np.float64], cut: float) -> float:
    """F1 at the last recall that boxes from a score on reach, (101, class), mean over classes."""
    last = (scores >= cut).sum(axis=0) - 1  # scores fall with recall
    return float(np.where(last >= 0, f1[last.clip(0), np.arange(f1.shape[1])], 0).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """Figures of one set of pictures.

    Attributes:
        map50_95: mean over classes and overlaps .50 to .95; NaN where nothing is labelled.
        map50: mean over classes at an overlap of .50.
        recall: mean recall at 100 boxes a picture.
        class_map50: map50 of each class; NaN where a class has no labelled box.
        pictures: number of pictures.
        boxes: number of labelled boxes.
        curves: precision over recall of each class at an overlap of .50; None where nothing was labelled or found.
    """

    map50_95: float
    map50: float
    recall: float
    class_map50: tuple[float, ...]
    pictures: int
    boxes: int
    curves: Curves | None = None


def measure_accuracy(labelled: Sequence[Boxes], found: Sequence[Boxes], classes: int) -> Accuracy:
    """Compare found with labelled boxes, picture by picture; where both have masks, masks with masks.

    Args:
        labelled: one entry a picture.
        found: one entry a picture, with scores.
        classes: number of classes.
    """
    total = sum(len(entry.boxes) for entry in labelled)
    if total == 0:
        nan = float("nan")
        return Accuracy(nan, nan, nan, (nan,) * classes, len(labelled), 0)
    truth = COCO(_document(labelled, found, classes))
    if not any(len(entry.boxes) for entry in found):
        return Accuracy(0.0, 0.0, 0.0, _nothing_found(labelled, classes), len(labelled), total)
    masked = all(entry.masks is not None for entry in (*labelled, *found))
    answers = truth.loadRes(_mask_rows(found) if masked else _box_rows(found))
    evaluation = COCOeval_faster(truth, answers, "segm" if masked else "bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]  # (recall, class) at an overlap of .50
    by_class = tuple(float(column.mean()) if column.max() > -1 else float("nan") for column in precision.T)
    stats = [float(value) for value in evaluation.stats]
    present = precision.max(axis=0) > -1
    scores = evaluation.eval["scores"][0, :, :, 0, -1].clip(0)
    curves = Curves(np.where(present, precision, np.nan), scores)
    return Accuracy(stats[_MAP], stats[_MAP50], stats[_RECALL], by_class, len(labelled), total, curves)


def _box_rows(found: Sequence[Boxes]) -> NDArray[np.float64]:
    return np.array(
        [
            (index, *_xywh(box), score, int(label))
            for index, entry in enumerate(found)
            for box, score, label in zip(entry.boxes, _scores(entry), entry.classes, strict=True)
        ],
        dtype=np.float64,
    )


def _mask_rows(found: Sequence[Boxes]) -> list[dict[str, object]]:
    return [
        {"image_id": index, "category_id": int(label), "segmentation": mask, "score": float(score)}
        for index, entry in enumerate(found)
        for mask, score, label in zip(entry.masks or (), _scores(entry), entry.classes, strict=True)
    ]


def _nothing_found(labelled: Sequence[Boxes], classes: int) -> tuple[float, ...]:
    present = {int(label) for entry in labelled for label in entry.classes}
    return tuple(0.0 if index in present else float("nan") for index in range(classes))


def _document(labelled: Sequence[Boxes], found: Sequence[Boxes], classes: int) -> dict[str, list[dict[str, object]]]:
    annotations: list[dict[str, object]] = []
    for index, entry in enumerate(labelled):
        masks = entry.masks or (None,) * len(entry.boxes)
        for box, label, mask in zip(entry.boxes, entry.classes, masks, strict=True):
            left, top, width, height = _xywh(box)
            annotations.append(
                {
                    "id": len(annotations) + 1,  # 0 would count as "no match"
                    "image_id": index,
                    "category_id": int(label),
                    "bbox": [left, top, width, height],
                    "area": width * height if mask is None else mask_area(mask),
                    "iscrowd": 0,
                    **({} if mask is None else {"segmentation": mask}),
                }
            )
    return {
        "images": [{"id": index, **_size(*pair)} for index, pair in enumerate(zip(labelled, found, strict=True))],
        "annotations": annotations,
        "categories": [{"id": index, "name": str(index)} for index in range(classes)],
    }


def _size(truth: Boxes, answer: Boxes) -> dict[str, int]:
    """Return height and width where masks tell them; boxes need none."""
    masks = truth.masks or answer.masks
    return dict(zip(("height", "width"), masks[0]["size"], strict=True)) if masks else {}


def _xywh(box: Array) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(value) for value in box)
    return left, top, right - left, bottom - top


def _scores(entry: Boxes) -> Array:
    return np.ones(len(entry.boxes)) if entry.scores is None else entry.scores


def match_boxes(labelled: Boxes, found: Boxes, iou: float = IOU_MATCH) -> NDArray[np.int64]:
    """Match found to labelled boxes of the same class, best score first, each labelled box once.

    Returns:
        (found box,) index of the labelled box it hit, or -1.
    """
    hit = np.full(len(found.boxes), -1, dtype=np.int64)
    overlaps = box_iou(found.boxes, labelled.boxes)
    overlaps[found.classes[:, None] != labelled.classes[None]] = 0
    free = np.ones(len(labelled.boxes), dtype=bool)
    for index in np.argsort(-_scores(found), kind="stable"):
        candidates = np.where(free, overlaps[index], 0)
        if len(candidates) and candidates.max() >= iou:
            hit[index] = candidates.argmax()
            free[hit[index]] = False
    return hit


def count_confusions(
    labelled: Sequence[Boxes], found: Sequence[Boxes], classes: int, *, least_score: float, iou: float = IOU_MATCH
) -> NDArray[np.int64]:
    """Count what was found where something is labelled, whatever the class.

    Args:
        labelled: one entry a picture.
        found: one entry a picture, with scores.
        classes: number of classes.
        least_score: boxes below are left out.
        iou: least overlap of two boxes that show the same thing.

    Returns:
        (class + 1, class + 1) by labelled and found class; the last row is nothing labelled, the last column
        nothing found.
    """
    counts = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for truth, answer in zip(labelled, found, strict=True):
        kept = _scores(answer) >= least_score
        boxes, labels, scores = answer.boxes[kept], answer.classes[kept], _scores(answer)[kept]
        one = np.zeros(len(labels), dtype=np.int64)
        hit = match_boxes(
            Boxes(truth.boxes, np.zeros(len(truth.boxes), dtype=np.int64)), Boxes(boxes, one, scores), iou
        )
        for label, index in zip(labels, hit, strict=True):
            counts[truth.classes[index] if index >= 0 else classes, label] += 1
        for index in np.setdiff1d(np.arange(len(truth.boxes)), hit):
            counts[truth.classes[index], classes] += 1
    return counts


def box_iou(first: Array, second: Array) -> NDArray[np.float64]:
    """Return overlaps (first, second) of boxes given as left, top, right, bottom."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
