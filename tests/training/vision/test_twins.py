from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from training.vision.dataset import PictureSet, Split, picture
from training.vision.twins import group_twins, leaking_groups, look_at, split_by_group

from .folders import scene


def look(image: Image.Image):
    return look_at(np.asarray(image))


def rain(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(5).normal(0, 12, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) * 0.35 + 120 + noise).clip(0, 255).astype(np.uint8))


RENDITIONS = {
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.15),
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "mirror": ImageOps.mirror,
    "rain": rain,
    "smaller": lambda image: image.resize((60, 40)),
}


@pytest.mark.parametrize("condition", sorted(RENDITIONS))
def test_one_scene_is_found_in_every_condition(condition: str):
    scenes = [scene(seed, 192, 128) for seed in range(20)]
    looks = [look(image) for image in scenes] + [look(RENDITIONS[condition](image)) for image in scenes]
    groups = group_twins(looks)
    np.testing.assert_array_equal(groups[:20], groups[20:])
    assert len(np.unique(groups)) == 20


def test_plain_pictures_and_no_pictures_are_no_trouble():
    plain = [look(Image.new("RGB", (64, 64), colour)) for colour in ("black", "white")]
    assert len(np.unique(group_twins(plain))) == 2
    assert group_twins([]).shape == (0,)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(list(Split)), st.integers(0, 8)), min_size=1, max_size=60))
def test_splitting_again_leaves_no_leak_and_loses_nothing(entries: list[tuple[Split, int]]):
    pictures = tuple(picture(Path(f"{i}.png"), split, [], []) for i, (split, _) in enumerate(entries))
    groups = np.array([group for _, group in entries])
    again = split_by_group(PictureSet(("bin",), pictures), groups)
    assert leaking_groups(again.pictures, groups) == []
    assert [p.path for p in again.pictures] == [p.path for p in pictures]
    whole = [i for i in range(len(entries)) if len({e[0] for e in entries if e[1] == entries[i][1]}) == 1]
    assert all(again.pictures[i].split is pictures[i].split for i in whole)
