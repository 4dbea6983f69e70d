"""Plots of a detector's run as PNG: curves, confusion, precision over recall, slices, pictures with boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from contracts import decode_picture
from training.plots import use_chinese_font

from .accuracy import Boxes, count_confusions, match_boxes
from .dataset import Split
from .evidence import Findings, Part
from .masks import unpack_mask

_LINE, _OTHER, _GRID = "#2171b5", "#d94801", 0.3
_LABELLED, _HIT, _WRONG = "#238b45", "#2171b5", "#d94801"
_MASK_SHARE = 0.4
_MAXIMUM_CLASSES = 30
"""Classes that are drawn one by one; of more, those with most labelled boxes."""
_SHOWN = 12
_COLUMNS = 4
_DPI = 110


def plot_curves(epochs: Sequence[dict[str, Any]], folder: Path) -> Path:
    """Draw losses, accuracy and learning rate over the epochs of a fit."""
    use_chinese_font()
    figure = Figure(figsize=(12, 4), layout="constrained")
    losses, accuracy, rate = figure.subplots(1, 3)

    def draw(axes: Axes, keep: Callable[[str], bool]) -> None:
        for key in sorted({name for entry in epochs for name in entry["metrics"] if keep(name)}):
            known = [(entry["epoch"], entry["metrics"][key]) for entry in epochs if key in entry["metrics"]]
            axes.plot(*zip(*known, strict=True), marker=".", label=key)
        axes.set_xlabel("轮次 epoch")
        axes.grid(alpha=_GRID)
        if axes.lines:
            axes.legend(fontsize=8)

    draw(losses, lambda name: name.startswith("train/"))
    draw(accuracy, lambda name: name.startswith("metrics/"))
    draw(rate, lambda name: name == "lr/pg0")
    losses.set_title("训练损失 training loss")
    accuracy.set_title("验证精度 validation")
    rate.set_title("学习率 learning rate")
    return save(figure, folder / "curves.png")


def plot_confusion(findings: Findings, labels: Sequence[str], least_score: float, folder: Path) -> Path:
    """Draw what was found where something is labelled, as shares of each labelled class."""
    use_chinese_font()
    counts = count_confusions(findings.labelled, findings.found, len(labels), least_score=least_score)
    shown = _most_labelled(findings, len(labels))
    index = [*shown, len(labels)]
    names = [*(labels[number] for number in shown), "(无 nothing)"]
    title = f"混淆矩阵 confusion, validation\nscore ≥ {least_score:.2f}, IoU ≥ .50"
    return save(draw_matrix(counts[np.ix_(index, index)], names, title), folder / "confusion.png")


def draw_matrix(counts: NDArray[np.int64], names: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix: counts in the cells, shares of each row as colour."""
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    side = 3.5 + 0.42 * len(names)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            colour = "white" if shares[row, column] > 0.5 else "black"  # noqa: PLR2004 - half of the colour scale
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xlabel("检出 found")
    axes.set_ylabel("标注 labelled")
    axes.set_title(title)
    return figure


def plot_precision_recall(findings: Findings, labels: Sequence[str], least_score: float, folder: Path) -> Path:
    """Draw precision over recall of each class on validation, and where the best balance lies."""
    use_chinese_font()
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    curves = findings.accuracy.curves
    if curves is not None:
        recall = np.linspace(0, 1, len(curves.precision))
        shown = _most_labelled(findings, len(labels))
        for number in shown:
            label = f"{labels[number]} {findings.accuracy.class_map50[number]:.3f}"
            axes.plot(recall, curves.precision[:, number], lw=1, label=label)
            last = int((curves.scores[:, number] >= least_score).sum()) - 1
            if last >= 0:
                axes.plot(recall[last], curves.precision[last, number], marker="o", color="black", ms=4)
        if len(labels) > 1:
            axes.plot(recall, np.nanmean(curves.precision, axis=1), lw=2.5, color="black", label="平均 mean")
        axes.legend(fontsize=7, ncols=1 + len(shown) // 16)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=_GRID)
    axes.set_xlabel("召回率 recall")
    axes.set_ylabel("精确率 precision")
    axes.set_title(
        "精确率-召回率 precision over recall, validation\n"
        f"mAP50 {findings.accuracy.map50:.3f}, ● score ≥ {least_score:.2f}"
    )
    return save(figure, folder / "precision_recall.png")


def plot_slices(findings: dict[Part, Findings], slice_drop: float, folder: Path) -> Path:
    """Draw accuracy of each slice beside the plain pictures of its split, with the gate's limit."""
    use_chinese_font()
    parts = list(findings)
    figure = Figure(figsize=(2.5 + 1.1 * len(parts), 4), layout="constrained")
    axes = figure.add_subplot()
    for position, (split, name) in enumerate(parts):
        value = findings[split, name].accuracy.map50
        axes.bar(position, 0 if np.isnan(value) else value, color=_OTHER if name else _LINE)
        axes.text(position, 0 if np.isnan(value) else value, f"{value:.3f}", ha="center", va="bottom", fontsize=9)
        base = findings.get((split, ""))
        if name and base is not None:
            limit = (1 - slice_drop) * base.accuracy.map50
            axes.hlines(limit, position - 0.45, position + 0.45, color="black", ls="--", lw=1)
    axes.set_xticks(range(len(parts)), [f"{split}\n{name or '(常态 plain)'}" for split, name in parts])
    axes.set_ylabel("mAP50")
    axes.set_ylim(0, 1)
    axes.grid(alpha=_GRID, axis="y")
    axes.set_title("各条件下的精度 accuracy by condition (-- 门槛 gate)")
    return save(figure, folder / "slices.png")


def plot_pictures(findings: Findings, part: Part, labels: Sequence[str], least_score: float, folder: Path) -> Path:
    """Draw pictures with labelled and found boxes: half of them those with most mistakes, half spread over the rest."""
    use_chinese_font()
    chosen = _choose(findings, least_score)
    rows = -(-len(chosen) // _COLUMNS)
    figure = Figure(figsize=(3.4 * _COLUMNS, 3.4 * rows + 0.6), layout="constrained")
    for number, index in enumerate(chosen):
        axes = figure.add_subplot(rows, _COLUMNS, number + 1)
        _draw_picture(axes, findings, index, labels, least_score)
    split, name = part
    figure.suptitle(
        f"{split} {name or 'plain'}, score ≥ {least_score:.2f}: 绿 green 标注 labelled, 蓝 blue 命中 hit, "
        "橙 orange 误报 false",
        fontsize=11,
    )
    return save(figure, folder / f"pictures_{split}_{name or 'plain'}.png")


def plot_all(
    findings: dict[Part, Findings], labels: Sequence[str], *, slice_drop: float, least_score: float, folder: Path
) -> list[Path]:
    """Draw everything that is drawn of an evaluation."""
    files = []
    plain = findings.get((Split.VALIDATION, ""))
    if plain is not None:
        files.append(plot_confusion(plain, labels, least_score, folder))
        files.append(plot_precision_recall(plain, labels, least_score, folder))
    files.append(plot_slices(findings, slice_drop, folder))
    files.extend(plot_pictures(one, part, labels, least_score, folder) for part, one in findings.items())
    return files


def _choose(findings: Findings, least_score: float) -> list[int]:
    mistakes = np.array([_mistakes(*pair, least_score) for pair in zip(findings.labelled, findings.found, strict=True)])
    worst = np.argsort(-mistakes, kind="stable")[: _SHOWN // 2].tolist()
    rest = [index for index in range(len(mistakes)) if index not in worst]
    spread = np.linspace(0, len(rest) - 1, min(len(rest), _SHOWN - len(worst))).astype(int)
    return [*worst, *(rest[index] for index in spread)]


def _mistakes(labelled: Boxes, found: Boxes, least_score: float) -> int:
    hit = match_boxes(labelled, _above(found, least_score))
    return int((hit < 0).sum() + len(labelled.boxes) - (hit >= 0).sum())


def _above(found: Boxes, least_score: float) -> Boxes:
    scores = _scores_of(found)
    kept = scores >= least_score
    masks = None if found.masks is None else tuple(mask for mask, keep in zip(found.masks, kept, strict=True) if keep)
    return Boxes(found.boxes[kept], found.classes[kept], scores[kept], masks)


def _scores_of(found: Boxes) -> NDArray[Any]:
    return np.ones(len(found.boxes)) if found.scores is None else found.scores


def _draw_picture(axes: Axes, findings: Findings, index: int, labels: Sequence[str], least_score: float) -> None:
    axes.imshow(decode_picture(findings.pictures[index].path.read_bytes()))
    axes.set_axis_off()
    axes.set_title(findings.pictures[index].path.name[-32:], fontsize=7)
    _draw_masks(axes, findings.labelled[index], _LABELLED)
    _draw_masks(axes, _above(findings.found[index], least_score), _HIT)
    for box in findings.labelled[index].boxes:
        _draw_box(axes, box, _LABELLED)
    found = _above(findings.found[index], least_score)
    hit = match_boxes(findings.labelled[index], found)
    for box, label, score, matched in zip(found.boxes, found.classes, _scores_of(found), hit, strict=True):
        colour = _HIT if matched >= 0 else _WRONG
        _draw_box(axes, box, colour)
        axes.text(
            box[0],
            box[1],
            f"{labels[label]} {score:.2f}",
            color="white",
            fontsize=6,
            va="bottom",
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
            clip_on=True,
        )


def _draw_masks(axes: Axes, boxes: Boxes, colour: str) -> None:
    if boxes.masks:
        inside = np.any([unpack_mask(mask) for mask in boxes.masks], axis=0)
        axes.imshow(inside[..., None] * np.array(to_rgba(colour, _MASK_SHARE)))


def _draw_box(axes: Axes, box: NDArray[Any], colour: str) -> None:
    left, top, right, bottom = (float(value) for value in box)
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, lw=1.3))


def _most_labelled(findings: Findings, classes: int) -> list[int]:
    counts = np.bincount(np.concatenate([entry.classes for entry in findings.labelled]).astype(int), minlength=classes)
    order = np.argsort(-counts, kind="stable")[:_MAXIMUM_CLASSES]
    return sorted(int(index) for index in order if counts[index] or classes == 1)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=_DPI)
    return path
