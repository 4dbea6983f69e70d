"""Plots of a classifier's run as PNG: confusion, and pictures with what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from contracts import decode_picture
from training.plots import use_chinese_font

from .dataset import LabelledPicture
from .plots import draw_matrix, save

_SHOWN, _COLUMNS = 12, 4
_RIGHT, _WRONG = "#238b45", "#d94801"


def plot_class_confusion(
    labelled: NDArray[np.int64], scores: NDArray[np.float32], labels: Sequence[str], folder: Path
) -> Path:
    """Draw what was answered to the pictures of each class."""
    use_chinese_font()
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (labelled, scores.argmax(axis=1)), 1)
    figure = draw_matrix(counts, list(labels), "混淆矩阵 confusion, validation")
    return save(figure, folder / "confusion.png")


def plot_class_pictures(
    pictures: Sequence[LabelledPicture],
    labelled: NDArray[np.int64],
    scores: NDArray[np.float32],
    labels: Sequence[str],
    folder: Path,
) -> Path:
    """Draw pictures with the best class: first those that were most surely mistaken."""
    use_chinese_font()
    best = scores.argmax(axis=1)
    order = np.argsort(np.where(best == labelled, 1.0, -scores.max(axis=1)), kind="stable")[:_SHOWN]
    rows = -(-len(order) // _COLUMNS)
    figure = Figure(figsize=(3 * _COLUMNS, 3.2 * rows + 0.5), layout="constrained")
    for number, index in enumerate(order):
        axes = figure.add_subplot(rows, _COLUMNS, number + 1)
        axes.imshow(decode_picture(pictures[index].path.read_bytes()))
        axes.set_axis_off()
        title = f"{labels[labelled[index]]} → {labels[best[index]]} {scores[index].max():.2f}"
        axes.set_title(title, fontsize=8, color=_RIGHT if best[index] == labelled[index] else _WRONG)
    figure.suptitle("标注 labelled → 判定 answered, validation", fontsize=11)
    return save(figure, folder / "pictures_val_plain.png")
