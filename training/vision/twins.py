"""Finds pictures of one scene, in whatever light, weather or mirror: the leakage gate between splits.

A perceptual hash (pHash) proposes pairs cheaply; small pictures with their local contrast evened out confirm them,
which a hash alone cannot: two potholes in the middle of a road share a hash, not their cracks. A group is what hangs
together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .dataset import LabelledPicture, PictureSet, Split

HASH_BITS_APART = 20
CORRELATION = 0.5
_THUMBNAIL_PX = 32
_BLUR_PX = 4.0
_CONTRAST_FLOOR = 4.0
_CHUNK = 1024
_PAIRS_AT_ONCE = 1 << 24
"""So many hashes are compared at once: 128 MB, however many pictures there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """What a picture looks like, small enough to compare every pair.

    Attributes:
        hashes: (2,) uint64 pHash of the picture and of its mirror image.
        thumbnail: (height, width) float16, local contrast evened out, zero mean, unit norm.
    """

    hashes: NDArray[np.uint64]
    thumbnail: NDArray[np.float16]


def look_at(pixels: NDArray[np.uint8]) -> Appearance:
    """Describe a decoded picture, uint8 (height, width, 3)."""
    grey = Image.fromarray(pixels).convert("L")
    views = (grey, ImageOps.mirror(grey))
    hashes = np.concatenate([np.packbits(imagehash.phash(view).hash.ravel()).view(np.uint64) for view in views])
    small = np.asarray(grey.resize((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BOX), dtype=np.float64)
    detail = small - gaussian_filter(small, _BLUR_PX)
    contrast = np.sqrt(gaussian_filter(detail**2, _BLUR_PX))
    even = detail / (contrast + _CONTRAST_FLOOR)
    even -= even.mean()
    norm = np.linalg.norm(even)
    return Appearance(hashes, (even / norm if norm > 0 else even).astype(np.float16))


def group_twins(looks: Sequence[Appearance]) -> NDArray[np.int64]:
    """Number the scenes: pictures that show the same one get the same number.

    Args:
        looks: one appearance a picture.

    Returns:
        (picture,) group numbers from 0.
    """
    count = len(looks)
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    hashes = np.stack([look.hashes for look in looks])  # (picture, 2)
    thumbnails = np.stack([look.thumbnail for look in looks]).astype(np.float32)  # (picture, height, width)
    flat, mirrored = thumbnails.reshape(count, -1), thumbnails[:, :, ::-1].reshape(count, -1)
    rows, columns = [], []
    rows_at_once = max(1, _PAIRS_AT_ONCE // count)
    for start in range(0, count, rows_at_once):
        block = slice(start, start + rows_at_once)
        for side, other in ((0, flat), (1, mirrored)):
            apart = np.bitwise_count(hashes[block, 0][:, None] ^ hashes[:, side][None])
            first, second = np.nonzero(apart <= HASH_BITS_APART)
            keep = first + start < second
            first, second = first[keep] + start, second[keep]
            alike = _correlations(flat, other, first, second) >= CORRELATION
            rows.append(first[alike])
            columns.append(second[alike])
    ends = (np.concatenate(rows), np.concatenate(columns))
    graph = coo_matrix((np.ones(len(ends[0]), dtype=bool), ends), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _correlations(
    flat: NDArray[np.float32], other: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float32]:
    parts = [
        np.einsum("ij,ij->i", flat[first[start : start + _CHUNK]], other[second[start : start + _CHUNK]])
        for start in range(0, len(first), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def leaking_groups(pictures: Sequence[LabelledPicture], groups: NDArray[np.int64]) -> list[list[int]]:
    """Return the groups that lie in more than one split, each as indices of its pictures."""
    members: dict[int, list[int]] = {}
    for index, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(index)
    return [group for group in members.values() if len({pictures[index].split for index in group}) > 1]


def split_by_group(data: PictureSet, groups: NDArray[np.int64]) -> PictureSet:
    """Put every group into one split, moving as little as possible.

    Groups that leak are dealt out whole, the largest first, each to the split that lacks most of the size it had;
    a slice keeps its name in its new split.

    Args:
        data: the set.
        groups: (picture,) group numbers as :func:`group_twins` gives them.

    Returns:
        The set without a group in two splits.
    """
    leaking = leaking_groups(data.pictures, groups)
    moved = {index for group in leaking for index in group}
    wanted = Counter(picture.split for picture in data.pictures)
    have = Counter(picture.split for index, picture in enumerate(data.pictures) if index not in moved)
    split_of: dict[int, Split] = {}
    for group in sorted(leaking, key=len, reverse=True):
        neediest = max(wanted, key=lambda split: (wanted[split] - have[split]) / wanted[split])
        have[neediest] += len(group)
        split_of |= dict.fromkeys(group, neediest)
    return data.with_pictures(
        replace(picture, split=split_of.get(index, picture.split)) for index, picture in enumerate(data.pictures)
    )
