"""Looks at every picture and label before a minute is spent on training, and tells all that is wrong at once.

An error stands in the way of training; a warning is told and recorded. With ``leave_out`` pictures that have errors
are left out instead, and named.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts import DataError, Problem, decode_picture

from .dataset import LabelledPicture, PictureSet, Split, refuse
from .masks import outline_area
from .twins import Appearance, group_twins, leaking_groups, look_at, split_by_group

RANGE_TOLERANCE = 0.01
"""Share of a side by which a box may reach over the edge before it is an error; it is clipped either way."""
MINIMUM_SIDE_PX = 1.0
RARE_CLASS_BOXES = 10
IMBALANCE = 50
"""Of the commonest class at most so many times as many boxes as of another, or training is told to be lopsided."""
MAXIMUM_NAMED = 200
"""Problems named one by one in a message; all of them stay in the report."""


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What was found.

    Attributes:
        data: the set with boxes clipped, broken pictures left out, and re-split where that was asked.
        errors: what stands in the way of training.
        warnings: what is told and recorded.
        groups: (picture,) scene number of each picture of ``data``.
        leaks: groups of pictures that lay in more than one split, as paths.
        class_boxes: split → number of boxes of each class.
        fingerprint: sha256 over every picture's bytes, split, slice, boxes and classes.
    """

    data: PictureSet
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    groups: NDArray[np.int64]
    leaks: tuple[tuple[str, ...], ...]
    class_boxes: dict[Split, tuple[int, ...]]
    fingerprint: str

    def require_sound(self, title: str = "The data set") -> None:
        """Raise every error at once.

        Raises:
            ConfigurationError: if there is one.
        """
        shown = list(self.errors[:MAXIMUM_NAMED])
        if len(self.errors) > MAXIMUM_NAMED:
            shown.append(Problem("and", f"{len(self.errors) - MAXIMUM_NAMED} more."))
        refuse(title, shown)


@dataclass(frozen=True, slots=True)
class InspectionPolicy:
    """What to do about what is found.

    Attributes:
        labels: class names of the recipe; None takes those of the data.
        leave_out: leave pictures with errors out instead of refusing the set.
        split_again: put twins into one split instead of refusing the set.
        training: whether the set must hold pictures to train on, beside those for validation.
        negatives: whether validation should hold pictures that show nothing.
        outlines: whether every box needs an outline: a segmenter learns from them.
    """

    labels: tuple[str, ...] | None = None
    leave_out: bool = False
    split_again: bool = False
    training: bool = True
    negatives: bool = True
    outlines: bool = False


def inspect(
    data: PictureSet, policy: InspectionPolicy | None = None, progress: Callable[[int, int], None] | None = None
) -> Inspection:
    """Look at every picture and label.

    Args:
        data: as a reader returned it.
        policy: what to do about what is found; by default everything is refused.
        progress: called with pictures done and in all.

    Returns:
        The whole report; call :meth:`Inspection.require_sound` before training.
    """
    policy = policy or InspectionPolicy()
    errors: list[Problem] = []
    warnings: list[Problem] = []
    (warnings if policy.leave_out else errors).extend(data.problems)
    given = data
    data, unknown = _with_labels_of_recipe(data, policy.labels)
    errors.extend(unknown)
    kept: list[LabelledPicture] = []
    looks: list[Appearance] = []
    digest = hashlib.sha256("\n".join(data.labels).encode())
    for index, entry in enumerate(data.pictures):
        if progress is not None:
            progress(index + 1, len(data.pictures))
        picture, look, problems = _look(entry, data.labels, digest)
        if policy.outlines:
            problems.extend(_outline_problems(picture))
        (warnings if policy.leave_out else errors).extend(problems)
        if look is not None and not problems:
            kept.append(picture)
            looks.append(look)
    data = data.with_pictures(kept)
    groups = group_twins(looks)
    leaking = leaking_groups(data.pictures, groups)
    leaks = tuple(tuple(str(data.pictures[index].path) for index in group) for group in leaking)
    (warnings if policy.split_again else errors).extend(_leak_problems(data.pictures, leaking))
    if policy.split_again:
        data = split_by_group(data, groups)
    class_boxes = {split: _count(data, split) for split in Split}
    errors.extend(_emptiness(data if policy.leave_out else given, training=policy.training))
    warnings.extend(_balance(data, class_boxes, negatives=policy.negatives))
    return Inspection(data, tuple(errors), tuple(warnings), groups, leaks, class_boxes, digest.hexdigest())


def _with_labels_of_recipe(data: PictureSet, labels: tuple[str, ...] | None) -> tuple[PictureSet, list[Problem]]:
    """Renumber the classes as the recipe orders them."""
    if labels is None or labels == data.labels:
        return data, []
    used = Counter(int(index) for picture in data.pictures for index in picture.classes)
    problems = [
        Problem(
            f"class {label!r}",
            f"has {used[index]} boxes in the data, but is not among the recipe's labels {list(labels)}.",
            "Add it to [data].labels, or take its boxes out.",
        )
        for index, label in enumerate(data.labels)
        if used[index] and label not in labels
    ]
    table = np.array([labels.index(label) if label in labels else -1 for label in data.labels], dtype=np.int64)
    pictures = []
    for picture in data.pictures:
        within = (picture.classes >= 0) & (picture.classes < len(table))
        renumbered = np.where(within, table[np.where(within, picture.classes, 0)], picture.classes)
        keep = renumbered >= 0
        pictures.append(picture.with_boxes(keep, renumbered))
    return replace(data, labels=labels, pictures=tuple(pictures)), problems


def _look(
    entry: LabelledPicture, labels: Sequence[str], digest: hashlib._Hash
) -> tuple[LabelledPicture, Appearance | None, list[Problem]]:
    name = "/".join(entry.path.parts[-3:])
    try:
        data = entry.path.read_bytes()
    except OSError as exc:
        return entry, None, [Problem(name, f"cannot be read: {exc.strerror}.", "Restore it, or take its labels out.")]
    try:
        pixels = decode_picture(data)
    except DataError as exc:
        return entry, None, [Problem(name, str(exc))]
    height, width = pixels.shape[:2]
    problems = _box_problems(entry, name, (width, height), len(labels))
    outlines = tuple(tuple(part.clip(0, 1) for part in outline) for outline in entry.outlines)
    clipped = replace(entry, boxes=entry.boxes.clip(0, 1), size_px=(width, height), outlines=outlines)
    drawn = b"".join(part.tobytes() for outline in entry.outlines for part in outline)
    for part in (data, f"{entry.split}/{entry.slice}".encode(), entry.boxes.tobytes(), entry.classes.tobytes(), drawn):
        digest.update(hashlib.sha256(part).digest())
    return clipped, look_at(pixels), problems


def _box_problems(entry: LabelledPicture, name: str, size_px: tuple[int, int], classes: int) -> list[Problem]:
    problems = []
    if entry.size_px is not None and entry.size_px != size_px:
        remedy = "Label the picture as it is shown (EXIF rotation applied)."
        message = f"its labels were made for {entry.size_px[0]}x{entry.size_px[1]} pixels, it is shown with "
        problems.append(Problem(name, f"{message}{size_px[0]}x{size_px[1]}.", remedy))
    sides = (entry.boxes[:, 2:] - entry.boxes[:, :2]) * np.array(size_px)
    for index, box in enumerate(entry.boxes):
        where = f"{name}: box {index + 1}"
        text = ", ".join(f"{value:.4g}" for value in box)
        if (sides[index] < MINIMUM_SIDE_PX).any():
            remedy = "Draw it again or take it out."
            problems.append(Problem(where, f"is {sides[index][0]:.2g}x{sides[index][1]:.2g} pixels small.", remedy))
        elif (box < -RANGE_TOLERANCE).any() or (box > 1 + RANGE_TOLERANCE).any():
            remedy = "Coordinates are shares of width and height within 0 and 1."
            problems.append(Problem(where, f"reaches out of the picture: ({text}).", remedy))
    problems.extend(
        Problem(name, f"has the class {int(index)}, but there are only {classes}.", "Add its name to the labels.")
        for index in np.unique(entry.classes[(entry.classes < 0) | (entry.classes >= classes)])
    )
    return problems


def _outline_problems(entry: LabelledPicture) -> list[Problem]:
    bare = len(entry.boxes) - sum(bool(outline) for outline in entry.outlines)
    flat = sum(bool(outline) and sum(map(outline_area, outline)) == 0 for outline in entry.outlines)
    name = "/".join(entry.path.parts[-3:])
    problems = []
    if bare:
        remedy = "Draw polygons (YOLO lines of points, COCO segmentation), or train a detector."
        problems.append(Problem(name, f"{bare} of its {len(entry.boxes)} boxes have no outline.", remedy))
    if flat:
        problems.append(Problem(name, f"{flat} of its outlines enclose nothing.", "Draw them again or take them out."))
    return problems


def _leak_problems(pictures: Sequence[LabelledPicture], leaking: Sequence[Sequence[int]]) -> list[Problem]:
    problems = []
    for group in leaking:
        members = [pictures[index] for index in group]
        splits = sorted({member.split.value for member in members})
        names = ", ".join("/".join(member.path.parts[-2:]) for member in members[:4])
        message = f"one scene stands in {' and '.join(splits)} ({len(members)} pictures)."
        remedy = "Put them into one split, or set [data].split_again = true."
        problems.append(Problem(names + (", ..." if len(members) > 4 else ""), message, remedy))  # noqa: PLR2004 - as above
    return problems


def _count(data: PictureSet, split: Split) -> tuple[int, ...]:
    boxes: Counter[int] = Counter()
    for picture in data.of(split):
        boxes.update(picture.classes.tolist())
    return tuple(boxes[index] for index in range(len(data.labels)))


def _emptiness(data: PictureSet, *, training: bool) -> list[Problem]:
    return [
        Problem(
            split.value,
            "holds no usable picture of its own.",
            "Give pictures to train and val; what is named for both, or for test too, is not trained on.",
        )
        for split in ((Split.TRAIN, Split.VALIDATION) if training else (Split.VALIDATION,))
        if not data.of(split)
    ]


def _lopsided(labels: Sequence[str], boxes: Sequence[int]) -> list[Problem]:
    """Tell of classes in training that another one drowns; those without a box are told of as rare."""
    most = max(boxes, default=0)
    common = labels[boxes.index(most)] if most else ""
    remedy = "Label more of it, or its accuracy will be what little is left of the loss."
    return [
        Problem(f"train: class {label!r}", f"has {count} boxes, {common!r} has {most}.", remedy)
        for label, count in zip(labels, boxes, strict=True)
        if 0 < count * IMBALANCE < most
    ]


def _balance(data: PictureSet, class_boxes: dict[Split, tuple[int, ...]], *, negatives: bool) -> list[Problem]:
    problems = []
    for split in (split for split in Split if data.of(split)):
        for label, count in zip(data.labels, class_boxes[split], strict=True):
            if count < RARE_CLASS_BOXES:
                remedy = "Label more of them: its figures say little."
                problems.append(Problem(f"{split}: class {label!r}", f"has only {count} boxes.", remedy))
    problems.extend(_lopsided(data.labels, class_boxes[Split.TRAIN]))
    missing: dict[Split, int] = defaultdict(int)
    for picture in data.pictures:
        missing[picture.split] += not picture.labelled
    for split, count in missing.items():
        if count:
            remedy = "They count as showing nothing; give them an empty label file to say so."
            problems.append(Problem(split.value, f"{count} pictures have no labels at all.", remedy))
    if negatives and not any(len(picture.boxes) == 0 for picture in data.of(Split.VALIDATION)):
        remedy = "False alarms per picture cannot be measured without them."
        problems.append(Problem("val", "holds no picture that shows nothing.", remedy))
    return problems
