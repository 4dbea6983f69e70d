"""The readings of a pack's own data sources, as its recipes name them. Needs the extra ``training``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from contracts import DataError, Pack, Reading, from_ms
from training import Series, load_recipe, read_series


def read_pack_series(pack: Pack) -> list[Series]:
    """Read every series that the recipes of a pack name, each sign once.

    Raises:
        DataError: if the pack has no recipe, or a source cannot be read.
        ConfigurationError: if a recipe is wrong.
    """
    found: dict[str, Series] = {}
    for path in pack.recipes:
        recipe = load_recipe(path)
        for series in read_series(recipe.data, recipe.folder):
            found.setdefault(series.sign, series)
    if not found:
        message = f"The pack {pack.header.id!r} has no recipe that names data. Give readings with --csv FILE."
        raise DataError(message)
    return list(found.values())


def series_readings(series: Sequence[Series]) -> list[Reading]:
    """Return the readings of series; a missing value is no reading."""
    return [
        Reading(sign=one.sign, time=from_ms(int(time_ms)), value=float(value))
        for one in series
        for time_ms, value in zip(one.times_ms(), one.values, strict=True)
        if math.isfinite(value)
    ]


def pack_readings(pack: Pack) -> list[Reading]:
    """Return all readings of a pack's data, in no promised order."""
    return series_readings(read_pack_series(pack))
