"""Picks the pictures worth labelling next, and writes them down for the people who label.

Worth labelling is what the model is least sure about and what looks least like anything picked before: uncertainty
times distance, one picture after the other (greedy k-centre, Sener and Savarese 2018, arXiv:1708.00489, weighted).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts import Array, DataError, Problem, decode_picture
from gpu import Session

from .dataset import PICTURE_SUFFIXES, refuse
from .twins import Appearance, look_at

COUNTED_BOXES = 10
"""Boxes whose doubt counts: a crowd of doubtful boxes is worth more than one, but not without end."""
FAMILIAR = 0.02
"""What is left of a picture's worth when its twin is picked or labelled already."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A picture that could be labelled.

    Attributes:
        path: its file.
        size_px: width and height as it is shown.
        boxes: (box, 4) left, top, right, bottom in its pixels, those above the score.
        classes: (box,) class index.
        scores: (box,).
        uncertainty: how unsure the model is; not below 0.
        look: what it looks like.
    """

    path: Path
    size_px: tuple[int, int]
    boxes: Array
    classes: Array
    scores: Array
    uncertainty: float
    look: Appearance


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """A picked picture: its candidate, its worth when it was picked, and its place in the order."""

    candidate: Candidate
    worth: float
    rank: int


def find_pictures(folder: Path) -> list[Path]:
    """Return every picture below a folder, in order.

    Raises:
        ConfigurationError: if there is none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        refuse("The folder", [Problem(str(folder), "holds no JPEG or PNG.", "Name a folder of pictures.")])
    return found


def look_through(
    session: Session,
    paths: Sequence[Path],
    *,
    least_score: float,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Candidate], list[Problem]]:
    """Run a detector over unlabelled pictures.

    Args:
        session: of a detector graph.
        paths: the pictures.
        least_score: where the application cuts; boxes near it are the doubtful ones.
        progress: called with pictures done and in all.

    Returns:
        Candidates, and the pictures that cannot be decoded.
    """
    candidates: list[Candidate] = []
    problems: list[Problem] = []
    for number, path in enumerate(paths, start=1):
        try:
            pixels = decode_picture(path.read_bytes(), name=str(path))
        except (OSError, DataError) as exc:
            problems.append(Problem(str(path), f"is left out: {exc}"))
        else:
            candidates.append(_candidate(session.run({"image": pixels}), pixels, path, least_score))
        if progress is not None:
            progress(number, len(paths))
    return candidates, problems


def doubt(scores: Array, least_score: float) -> NDArray[np.float64]:
    """Return how doubtful boxes are: 1 at the score where the application cuts, 0 at scores of 0 and 1."""
    given = np.asarray(scores, dtype=np.float64)
    below, above = given / max(least_score, 1e-9), (1 - given) / max(1 - least_score, 1e-9)
    return np.minimum(below, above).clip(0, 1)


def pick_pictures(candidates: Sequence[Candidate], count: int, *, labelled: Sequence[Appearance] = ()) -> list[Pick]:
    """Pick the pictures worth most, one after the other.

    Args:
        candidates: what could be labelled.
        count: how many to pick at most.
        labelled: pictures that are labelled already; nothing that looks like them is worth much.

    Returns:
        Picks, best first.
    """
    if not candidates:
        return []
    flat = np.stack([candidate.look.thumbnail for candidate in candidates]).astype(np.float32)
    uncertainty = np.array([candidate.uncertainty for candidate in candidates])
    worth_of_doubt = 0.1 + uncertainty  # a picture without any doubt can still be the only one of its kind
    distance = np.ones(len(candidates))
    for look in labelled:
        distance = np.minimum(distance, _distances(flat, look.thumbnail))
    picks: list[Pick] = []
    free = np.ones(len(candidates), dtype=bool)
    while len(picks) < min(count, len(candidates)):
        worth = np.where(free, worth_of_doubt * distance, -1)
        best = int(worth.argmax())
        picks.append(Pick(candidates[best], float(worth[best]), len(picks) + 1))
        free[best] = False
        distance = np.minimum(distance, _distances(flat, candidates[best].look.thumbnail))
    return picks


def fingerprint_of(path: Path) -> str:
    """Return a short name of a picture's content, for identifiers."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _candidate(answer: dict[str, Array], pixels: NDArray[np.uint8], path: Path, least_score: float) -> Candidate:
    scores = answer["scores"]
    doubts = np.sort(doubt(scores, least_score))[::-1][:COUNTED_BOXES]
    kept = scores >= least_score
    height, width = pixels.shape[:2]
    return Candidate(
        path,
        (width, height),
        answer["boxes"][kept],
        answer["classes"][kept],
        scores[kept],
        float(doubts.sum() / np.sqrt(COUNTED_BOXES)),
        look_at(pixels),
    )


def _distances(flat: NDArray[np.float32], thumbnail: NDArray[np.float16]) -> NDArray[np.float64]:
    """Return how unlike pictures are, mirrored or not: 1 for nothing in common, near 0 for twins."""
    other = thumbnail.astype(np.float32)
    alike = np.maximum(
        np.einsum("nij,ij->n", flat, other, dtype=np.float64),
        np.einsum("nij,ij->n", flat, other[:, ::-1], dtype=np.float64),
    )
    return (1 - alike).clip(FAMILIAR, 1)
