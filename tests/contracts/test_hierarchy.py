"""Totals over places: they add up, with gaps and without, and forecasts are reconciled as the field does it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hierarchicalforecast.methods import BottomUp, MinTrace

from contracts import DataError, Hierarchy, Place, PlaceLevel, PlaceTree, Text

LEVELS = (PlaceLevel.CITY, PlaceLevel.DISTRICT, PlaceLevel.STREET, PlaceLevel.GRID, PlaceLevel.COMMUNITY)


def place(name: str, level: PlaceLevel, parent: str | None = None) -> Place:
    return Place(id=name, name=Text(zh=name, en=name), level=level, parent=parent)


def small_city() -> tuple[PlaceTree, dict[str, str]]:
    """One city, two districts, four streets, eight grids, sixteen communities with two signs each."""
    places = [place("c", LEVELS[0])]
    for depth, level in enumerate(LEVELS[1:], 1):
        places += [
            place(f"{parent.id}{k}", level, parent.id) for parent in places if len(parent.id) == depth for k in "ab"
        ]
    signs = {f"calls.{one.id}.{k}": one.id for one in places if one.level is PlaceLevel.COMMUNITY for k in "xy"}
    return PlaceTree(places), signs


def hierarchy() -> Hierarchy:
    return Hierarchy.over(*small_city(), "calls")


def test_every_place_of_two_signs_has_a_total() -> None:
    found = hierarchy()
    assert (len(found.signs), len(found.totals)) == (32, 31)
    assert {name: len(rows) for name, rows in found.level_rows()} == {
        "city": 1,
        "district": 2,
        "street": 4,
        "grid": 8,
        "community": 16,
        "sign": 32,
    }
    assert found.members[0].all()


def test_totals_bear_gaps() -> None:
    found = replace(hierarchy(), usual=np.arange(1.0, 33.0))
    values = np.repeat(np.arange(1.0, 33.0), 4).reshape(32, 4).astype(np.float32)
    values[5, 1] = np.nan
    values[:28, 2] = np.nan
    totals = found.add_up(values)
    assert totals[0, :2].tolist() == [528.0, 528.0]
    assert np.isnan(totals[0, 2])
    assert np.isfinite(totals[:, 3]).all()


@pytest.mark.parametrize("method", ["bottom_up", "wls_struct", "wls_var"])
def test_reconciling_equals_the_library(method: str) -> None:
    found = hierarchy()
    random = np.random.default_rng(3)
    count, total = len(found.signs), len(found.totals)
    forecasts = random.gamma(2, 10, (count + total, 6))
    summing = np.vstack([found.members, np.eye(count)]).astype(np.float64)  # the library has the totals first
    library = np.vstack([forecasts[count:], forecasts[:count]])
    if method == "bottom_up":
        found = replace(found, weights=np.concatenate([np.zeros(count), np.ones(total)]))
        expected = BottomUp().fit_predict(S=summing, y_hat=library)["mean"]
    elif method == "wls_struct":
        expected = MinTrace("wls_struct").fit_predict(S=summing, y_hat=library)["mean"]
    else:
        errors = random.normal(0, random.gamma(2, 3, (count + total, 1)), (count + total, 400))
        found = replace(found, weights=np.concatenate([(errors[total:] ** 2).mean(1), (errors[:total] ** 2).mean(1)]))
        actual = np.zeros_like(errors)
        expected = MinTrace("wls_var").fit_predict(S=summing, y_hat=library, y_insample=actual, y_hat_insample=-errors)[
            "mean"
        ]
    given = found.reconcile(forecasts)
    np.testing.assert_allclose(np.vstack([given[count:], given[:count]]), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.members @ given[:count], given[count:], rtol=1e-12)


def test_nodes_without_a_forecast_take_part() -> None:
    found = replace(hierarchy(), usual=np.full(32, 2.0))
    forecasts = np.full((63, 1), np.nan)
    given = found.reconcile(forecasts)
    assert given[:32].ravel().tolist() == [2.0] * 32
    assert given[32, 0] == 64.0


def test_a_manifest_carries_it() -> None:
    found = hierarchy()
    again = Hierarchy.from_json(found.to_json())
    assert (again.nodes, again.levels) == (found.nodes, found.levels)
    assert (again.members == found.members).all()
    with pytest.raises(DataError, match="cannot be read"):
        Hierarchy.from_json({"signs": []})


def test_lonely_signs_have_no_totals() -> None:
    places, signs = small_city()
    with pytest.raises(DataError, match="nothing adds up"):
        Hierarchy.over(places, dict([next(iter(signs.items()))]), "calls")
