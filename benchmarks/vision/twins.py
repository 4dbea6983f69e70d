"""The leakage gate: twins under another weather that it finds, and pictures that it joins wrongly.

Found: the conditions of a potholes scene (``test_night``, ``test_dark``, ``test_rain``, ``test_blur``) carry its file
name; a pair counts as found when the picture and its condition get one scene number. Joined wrongly: pictures of
``coco_val128``, which are of different scenes all, that share a number with another.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from contracts import decode_picture
from training.vision import LabelledPicture, Split, read_pictures
from training.vision.twins import group_twins, look_at

from .part import Figures, Options, say

KEYS = ("twins_found_share", "false_group_share")


def measure(options: Options) -> Figures:
    """Return both shares."""
    pictures = read_pictures(options.need("potholes")).of(Split.TEST)
    scenes = dict(zip((_key(picture) for picture in pictures), _groups(pictures), strict=True))
    pairs = [(scenes[stem, ""], scene) for (stem, name), scene in scenes.items() if name and (stem, "") in scenes]
    found = sum(first == second for first, second in pairs)
    say(f"twins: {found} of {len(pairs)} cross-condition pairs found")
    others = read_pictures(options.need("coco_val128")).pictures
    _, counts = np.unique(_groups(others), return_counts=True)
    joined = int(counts[counts > 1].sum())
    say(f"twins: {joined} of {len(others)} pictures of different scenes joined")
    return {"twins_found_share": found / len(pairs), "false_group_share": joined / len(others)}


def _key(picture: LabelledPicture) -> tuple[str, str]:
    return Path(picture.path).stem, picture.slice


def _groups(pictures: tuple[LabelledPicture, ...] | list[LabelledPicture]) -> list[int]:
    looks = [look_at(decode_picture(picture.path.read_bytes())) for picture in pictures]
    return [int(number) for number in group_twins(looks)]
