"""From labelled pictures to likelihood ratios: what a detector's scores are worth as evidence, slice by slice.

The pictures must not be those that it was fitted on: on these it is surer than it will ever be again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from contracts import DataError, decode_picture
from early_warning import RatioCurve, ScoreRatios, fit_ratio
from gpu import Session

from .dataset import PictureSet, Split
from .forms import read_pictures

_MARGIN = 5.0
"""Grey levels beyond the darkest and brightest picture of a slice that still count as its brightness."""


def fit_ratios(
    session: Session,
    folder: Path,
    label: str,
    *,
    model: str = "",
    cap: float = 1000.0,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreRatios:
    """Fit the likelihood ratios of one label on the validation pictures of a folder.

    Args:
        session: the released detector.
        folder: labelled pictures; validation pictures with the label and without it, in every slice.
        label: what is looked for.
        model: name and version of the detector, kept with the ratios.
        cap: the largest ratio that is ever told.
        progress: called with pictures looked at and in all.

    Raises:
        DataError: if the label is not among the data's, or a slice has fewer than ten pictures of either kind.
        ConfigurationError: if the folder cannot be read.
    """
    data = read_pictures(folder)
    if label not in data.labels:
        message = f"The label {label!r} is not among those of {str(folder)!r}: {', '.join(data.labels)}."
        raise DataError(message)
    pictures = data.of(Split.VALIDATION)
    done = 0
    curves = {}
    for name in data.slices(Split.VALIDATION):
        scores, shows, bright = [], [], []
        for picture in data.of(Split.VALIDATION, name):
            pixels = decode_picture(picture.path.read_bytes(), name=str(picture.path))
            scores.append(_best_score(session, pixels, data, label))
            shows.append(data.labels.index(label) in picture.classes)
            bright.append(float(pixels.mean()))
            done += 1
            if progress is not None:
                progress(done, len(pictures))
        curves[name] = _fit(name, np.array(scores), np.array(shows), bright, cap)
    return ScoreRatios(label=label, model=model, curves=curves)


def _best_score(session: Session, pixels: np.ndarray, data: PictureSet, label: str) -> float:
    found = session.run({"image": pixels})
    return float(found["scores"][found["classes"] == data.labels.index(label)].max(initial=0.0))


def _fit(name: str, scores: np.ndarray, shows: np.ndarray, bright: list[float], cap: float) -> RatioCurve:
    span = (min(bright) - _MARGIN, max(bright) + _MARGIN)
    try:
        return fit_ratio(scores[shows].tolist(), scores[~shows].tolist(), span, cap=cap)
    except DataError as exc:
        message = f"The slice {name or 'plain'!r}: {exc}"
        raise DataError(message) from exc
