"""Totals over places as series of their own, so that one model learns the signs and all that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contracts import ConfigurationError, DataError, Hierarchy, PlaceTree, Problem, read_places, read_signs, to_ms

from .recipe import HierarchySection, Recipe
from .series import MILLISECONDS_PER_S, Series

_LEAST_USUAL = 1e-6
"""Of the mean over all signs: a sign that was always zero still has a say in what stands in for the missing."""


def build_hierarchy(recipe: Recipe, section: HierarchySection, series: Sequence[Series]) -> Hierarchy:
    """Return the hierarchy of a recipe's series; what is usual is learned from the train window.

    Args:
        recipe: names the totals, and its train window.
        section: where places and signs are listed.
        series: the signs that are added up.

    Raises:
        ConfigurationError: if a series is no sign of the list, signs have several units, or the places are no tree.
        DataError: if nothing adds up.
    """
    signs = {sign.id: sign for sign in read_signs(recipe.folder / section.signs)}
    strange = [one.sign for one in series if one.sign not in signs]
    problems = [
        Problem(f"[hierarchy].signs: {sign}", f"is no sign of {str(section.signs)!r}.", "Add it with its place.")
        for sign in strange[:20]
    ]
    units = sorted({signs[one.sign].unit for one in series if one.sign in signs})
    if len(units) > 1:
        problems.append(Problem("[hierarchy]", f"signs of the units {units} do not add up.", "Give signs of one unit."))
    if problems:
        title = f"The hierarchy of {recipe.name!r}"
        raise ConfigurationError(title, problems)
    places = PlaceTree(read_places(recipe.folder / section.places))
    found = Hierarchy.over(places, {one.sign: signs[one.sign].place for one in series}, recipe.name)
    return replace(found, usual=_usual(series, to_ms(recipe.windows.train.start), to_ms(recipe.windows.train.end)))


def total_series(hierarchy: Hierarchy, series: Sequence[Series]) -> list[Series]:
    """Return the totals as series, from the first step of any sign to the last of any.

    Raises:
        DataError: if the signs' steps do not fall together.
    """
    interval_ms = series[0].interval_s * MILLISECONDS_PER_S
    start_ms, end_ms = min(one.start_ms for one in series), max(one.end_ms for one in series)
    astray = [one.sign for one in series if (one.start_ms - start_ms) % interval_ms]
    if astray:
        message = (
            f"The steps of {len(astray)} signs, such as {astray[0]!r}, do not fall together with those of the first: "
            "they cannot be added up. Set aggregate to mean, sum or last in [data]."
        )
        raise DataError(message)
    values = np.full((len(series), (end_ms - start_ms) // interval_ms), np.nan, np.float32)
    for row, one in enumerate(series):
        first = (one.start_ms - start_ms) // interval_ms
        values[row, first : first + len(one.values)] = one.values
    totals = hierarchy.add_up(values)
    return [
        Series(name, start_ms, series[0].interval_s, row) for name, row in zip(hierarchy.totals, totals, strict=True)
    ]


def _usual(series: Sequence[Series], start_ms: int, end_ms: int) -> NDArray[np.float64]:
    means = np.zeros(len(series))
    for row, one in enumerate(series):
        known = np.abs(one.values[max(one.step(start_ms), 0) : max(one.step(end_ms), 0)])
        known = known[np.isfinite(known)]
        means[row] = known.mean(dtype=np.float64) if len(known) else 0.0
    return np.maximum(means, _LEAST_USUAL * means.mean()) if means.any() else np.ones(len(series))
