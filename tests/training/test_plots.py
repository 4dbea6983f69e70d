from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
from matplotlib import font_manager

from training import Dataset, parse_recipe, plot_evaluation, roll, score, use_chinese_font

from .recipes import TABLE, daily_values, series


def test_the_font_holds_chinese() -> None:
    family = use_chinese_font()
    path = font_manager.findfont(family, fallback_to_default=False)
    glyphs = font_manager.get_font(path).get_charmap()
    assert all(ord(character) in glyphs for character in "预测区间流量")


def test_three_plots_are_written_with_every_glyph(tmp_path: Path) -> None:
    dataset = Dataset.of(parse_recipe(TABLE, "r", Path()), [series(daily_values())])
    levels = np.array(dataset.recipe.spec.quantiles, dtype=np.float32)
    rolled = roll(lambda feeds: 100 + np.tile(8 * (levels - 0.5), (len(feeds["context"]), 6, 1)), dataset.gate(), 24)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        paths = plot_evaluation(dataset, rolled, score(rolled), tmp_path)
    assert {path.name for path in paths} == {"forecast_band.png", "error_by_horizon.png", "calibration.png"}
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.std() > 10  # something is drawn
