"""Signs that add up: totals learn in the same model, and what is chosen on validation is no worse where it was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.drawn_panels import draw_values, sign_names
from contracts import ConfigurationError, DataError
from training import Dataset, Recipe, Series, parse_recipe
from training.backtest import fit_recipe
from training.coherence import METHODS, choose_coherence, measure_coherence

from .recipes import HOUR_MS, START_MS, table

OPTIONS = {"season": 24, "scaled": True, "prior_seasons": [0, 1], "penalties": [0.1]}
SIGNS = 24


def write_city(folder: Path, *, unit: str = "1") -> None:
    """A city of two districts with three streets each, four signs in a street."""
    rows = ["id,name_zh,name_en,level,parent", "c,城,city,city,"]
    rows += [f"c.d{d},区,district,district,c" for d in range(2)]
    rows += [f"c.d{d}.s{s},街,street,street,c.d{d}" for d in range(2) for s in range(3)]
    (folder / "places.csv").write_text("\n".join(rows), encoding="utf-8")
    rows = ["id,title_zh,title_en,place,unit,interval_s,source,domain"]
    for number, name in enumerate(sign_names(SIGNS)):
        street = f"c.d{number // 12}.s{number // 4 % 3}"
        rows.append(f"{name},量,sign,{street},{unit if number else '1'},3600,drawn,livelihood")
    (folder / "signs.csv").write_text("\n".join(rows), encoding="utf-8")


def summing_recipe(folder: Path) -> Recipe:
    sections = table(
        hierarchy={"places": "places.csv", "signs": "signs.csv"},
        forecast={"context": 72, "horizon": 6, "minimum_observed": 12},
        disturbance={"threshold": None},
        model={"family": "ridge", "options": OPTIONS},
        fitting={"windows": 3000},
    )
    return parse_recipe(sections, "r", folder)


def drawn_series() -> list[Series]:
    values = draw_values(SIGNS, 30 * 24, seed=3)
    return [
        Series(name, START_MS + 7 * number * HOUR_MS, 3600, row[7 * number :])  # of unequal beginnings
        for number, (name, row) in enumerate(zip(sign_names(SIGNS), values, strict=True))
    ]


def test_totals_are_forecast_and_reconciled(tmp_path: Path) -> None:
    write_city(tmp_path)
    recipe = summing_recipe(tmp_path)
    dataset = Dataset.of(recipe, drawn_series())
    assert [one.sign for one in dataset.series[SIGNS:]][:2] == ["test.flow.c", "test.flow.c.d0"]
    assert len(dataset.series) == SIGNS + 1 + 2 + 6
    predict, _ = fit_recipe(dataset)
    chosen = choose_coherence(dataset, predict)
    assert chosen.method in METHODS
    assert chosen.losses[chosen.method] == min(chosen.losses.values())
    figures = measure_coherence(dataset, predict, chosen.hierarchy, recipe.windows.gate)
    assert figures["incoherence_before"] > 0.001  # forecasts made one by one do not add up
    assert {name.split(".")[0] for name in figures} == {"city", "district", "street", "sign", "incoherence_before"}
    assert np.mean([figures[f"{level}.ratio"] for level in ("city", "district", "street", "sign")]) < 1.03


def test_what_does_not_add_up_is_said_at_once(tmp_path: Path) -> None:
    write_city(tmp_path, unit="l/s")
    recipe, series = summing_recipe(tmp_path), drawn_series()
    with pytest.raises(ConfigurationError, match="do not add up"):
        Dataset.of(recipe, series)
    with pytest.raises(ConfigurationError, match="is no sign of"):
        Dataset.of(recipe, [replace(series[0], sign="stranger"), *series[1:]])
    write_city(tmp_path)
    with pytest.raises(DataError, match="do not fall together"):
        Dataset.of(recipe, [replace(series[0], start_ms=START_MS + 1), *series[1:]])
