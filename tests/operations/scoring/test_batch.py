"""Batch scoring: what the model itself says, for every sign, from a file or from the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.drawn_panels import HOUR_MS, START_MS, draw_values, sign_names, write_drawn_panel
from benchmarks.peaks import run_watched
from contracts import DataError, Hierarchy, PlaceLevel
from gpu import open_session
from operations.scoring import PanelContexts, Scorer, StoreContexts, score_signs
from operations.scoring import batch as batch_module
from store.panels import Panel
from tests.serving.city import CONTEXT, FLOW, HORIZON, PRESSURE, SILENT, City, forecast_spec, mean_forecaster, populated


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = populated(tmp_path)
    yield made
    made.close()


def scorer(*, calendar: bool = False) -> Scorer:
    session = open_session(mean_forecaster(calendar=calendar))
    return Scorer("mean", 3, forecast_spec(calendar=calendar), session)


def test_every_sign_of_a_panel_gets_what_the_model_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signs, hours = 40, 50
    write_drawn_panel(tmp_path / "p.parquet", signs, hours, seed=4)
    monkeypatch.setattr(batch_module, "CONTEXT_BYTES", 7 * 4 * CONTEXT)  # six passes over the file
    one, told = scorer(), []
    contexts = PanelContexts(Panel(tmp_path / "p.parquet"))
    out = tmp_path / "f.parquet"
    result = score_signs(
        contexts, dict.fromkeys(sign_names(signs), one), out, progress=lambda _, share: told.append(share)
    )
    assert result.forecast == {"mean": signs}
    assert (result.rows, result.skipped, told[-1]) == (signs * HORIZON, {}, 1.0)
    table = pq.read_table(out).to_pandas()
    expected = np.nanmean(draw_values(signs, hours, seed=4)[:, -CONTEXT:], axis=1)
    given = table.groupby("sign", observed=True)["q0.5"].first()
    np.testing.assert_allclose(given[sign_names(signs)], expected, rtol=1e-5)
    assert set(table["origin"].astype("int64")) == {START_MS + (hours - 1) * HOUR_MS}


def test_an_earlier_time_sees_nothing_later(tmp_path: Path) -> None:
    write_drawn_panel(tmp_path / "p.parquet", 3, 60, seed=1)
    at_ms = START_MS + 30 * HOUR_MS + 5
    contexts = PanelContexts(Panel(tmp_path / "p.parquet"))
    score_signs(contexts, dict.fromkeys(sign_names(3), scorer()), tmp_path / "f.csv", at_ms=at_ms)
    lines = (tmp_path / "f.csv").read_text().splitlines()
    assert lines[0].replace('"', "") == "sign,origin,time,model,version,q0.05,q0.5,q0.95"
    assert len(lines) == 1 + 3 * HORIZON
    expected = np.nanmean(draw_values(3, 60, seed=1)[0, 31 - CONTEXT : 31])
    assert float(lines[1].split(",")[-2]) == pytest.approx(expected, rel=1e-5)


def test_the_store_is_scored_as_the_panel_is_and_the_rest_is_named(city: City, tmp_path: Path) -> None:
    contexts = StoreContexts(city.store, [FLOW, PRESSURE, SILENT])
    result = score_signs(contexts, {FLOW: scorer()}, tmp_path / "f.parquet")
    assert result.forecast == {"mean": 1}
    assert result.skipped == {PRESSURE: "no model forecasts it"}
    medians = pq.read_table(tmp_path / "f.parquet").to_pydict()["q0.5"]
    assert medians == pytest.approx([np.mean([101, 103, 104, 105, 106, 107, 108])] * HORIZON)
    with pytest.raises(DataError, match="No model forecasts any of the 2 signs"):
        score_signs(contexts, {}, tmp_path / "g.parquet")


def test_a_sign_with_too_few_readings_is_named_and_the_calendar_is_made(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "sign,time,value\nnew,2024-01-05T00:00:00Z,3\nold,2024-01-04T23:00:00Z,1\nold,2024-01-05T00:00:00Z,2\n"
    )
    both = dict.fromkeys(["new", "old"], scorer(calendar=True))
    result = score_signs(PanelContexts(Panel(tmp_path / "p.csv")), both, tmp_path / "f.parquet")
    assert result.skipped == {"new": "1 readings in its context, 2 needed by mean"}
    assert result.forecast == {"mean": 1}


def score_panel(folder: Path, hours: int) -> int:
    contexts = PanelContexts(Panel(folder / f"{hours}.parquet"))
    return score_signs(contexts, dict.fromkeys(sign_names(300), scorer()), folder / "f.parquet").rows


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_panel(tmp_path: Path) -> None:
    peaks = {}
    for hours in (5_000, 40_000):
        write_drawn_panel(tmp_path / f"{hours}.parquet", 300, hours)
        rows, peaks[hours] = run_watched(score_panel, tmp_path, hours)
        assert rows == 300 * HORIZON
    grown_mib = 300 * (40_000 - 5_000) * 20 / 2**20  # what the further rows would take in memory: 200 MiB
    assert peaks[40_000] - peaks[5_000] < 0.6 * grown_mib


def test_signs_that_add_up_are_written_with_their_totals(tmp_path: Path) -> None:
    signs, blind = sign_names(6), sign_names(6)[5]
    write_drawn_panel(tmp_path / "p.parquet", 5, 60, seed=2)
    members = np.array([[True] * 6, [True] * 3 + [False] * 3])
    hierarchy = Hierarchy(
        tuple(signs),
        ("sum.city", "sum.street"),
        (PlaceLevel.CITY, PlaceLevel.STREET),
        members,
        np.full(6, 7.0),
        np.array([1.0] * 6 + [6.0, 3.0]),
    )
    one = replace(scorer(), hierarchy=hierarchy)
    contexts = PanelContexts(Panel(tmp_path / "p.parquet"))
    result = score_signs(contexts, dict.fromkeys(signs, one), tmp_path / "f.parquet")
    assert result.forecast == {"mean": 7}
    assert list(result.skipped) == [blind]
    assert "usual magnitude" in result.skipped[blind]
    medians = pq.read_table(tmp_path / "f.parquet").to_pandas().pivot_table("q0.5", "time", "sign", observed=True)
    assert medians.shape == (HORIZON, 7)
    np.testing.assert_allclose(medians["sum.street"], medians[signs[:3]].sum(axis=1), rtol=1e-5)
    assert (medians["sum.city"] > medians[signs[:5]].sum(axis=1)).all()  # the blind one counts as well
