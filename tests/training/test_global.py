"""One model for many signs: trained from a panel, good for signs and lengths it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.drawn_panels import draw_values, sign_names, write_drawn_panel
from models.forecasting import build_forecaster
from training import Dataset, Recipe, Series, fit, parse_recipe, roll, score

from .recipes import START_MS, table

OPTIONS = {"season": 24, "scaled": True, "prior_seasons": [0, 1], "penalties": [0.1]}


def global_recipe(folder: Path) -> Recipe:
    return parse_recipe(
        table(
            data={"source": "panel", "path": "panel.parquet", "interval_s": 3600},
            forecast={"context": 72, "horizon": 6, "minimum_observed": 12},
            disturbance={"threshold": None},
            model={"family": "ridge", "options": OPTIONS},
            fitting={"windows": 3000},
            evaluation={"targets": 6000},
        )
        | {"data": {"source": "panel", "path": "panel.parquet", "interval_s": 3600}},
        "r",
        folder,
    )


def test_a_global_model_forecasts_signs_that_it_never_saw(tmp_path: Path) -> None:
    recipe = global_recipe(tmp_path)
    write_drawn_panel(tmp_path / "panel.parquet", 60, 30 * 24, seed=5)
    dataset = Dataset.read(recipe)
    assert [one.sign for one in dataset.series] == sign_names(60)
    assert len(dataset.gate()) == 1000  # of 60 x 115 origins: memory does not grow with the number of signs
    model = build_forecaster("ridge", recipe.spec, OPTIONS)
    fit(model, dataset.train(), dataset.validation(), recipe.fitting)

    def predict(feeds: dict[str, np.ndarray]) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(feeds["context"])).numpy()

    strangers = [
        Series(f"new.{number}", START_MS + (20 * 24 - 30 * number) * 3_600_000, 3600, values)
        for number, values in enumerate(draw_values(10, 8 * 24, seed=99))  # of unequal beginnings, one within the gate
    ]
    seen, unseen = (score(roll(predict, one.gate(), 24)) for one in (dataset, Dataset.of(recipe, strangers)))
    assert seen.pooled["mae_ratio"] < 0.85
    assert unseen.pooled["mae_ratio"] < 0.9
