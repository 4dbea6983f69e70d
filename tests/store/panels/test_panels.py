"""Long tables of readings, streamed: order, intervals, aggregation, mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import DataError, ForecastSpec
from store.panels import Aggregate, ForecastWriter, Panel, PanelColumns, read_grid

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000


def write(path: Path, rows: list[tuple[str, int, float]], *, row_group_size: int = 3) -> Path:
    signs, steps, values = zip(*rows, strict=True)
    times = pa.array([START_MS + step for step in steps], pa.timestamp("ms", "UTC"))
    table = pa.table({"sign": pa.array(signs), "time": times, "value": pa.array(values, pa.float64())})
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


rows_of_signs = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.dictionaries(st.integers(0, 30), st.floats(-100, 100, width=32), min_size=1, max_size=12),
    min_size=1,
)


@settings(max_examples=40, deadline=None)
@given(readings=rows_of_signs, seed=st.integers(0, 100))
def test_any_order_of_rows_gives_the_same_grid(
    tmp_path_factory: pytest.TempPathFactory, readings: dict[str, dict[int, float]], seed: int
) -> None:
    rows = [(sign, step * HOUR_MS, value) for sign, steps in readings.items() for step, value in steps.items()]
    np.random.default_rng(seed).shuffle(rows)
    file = write(tmp_path_factory.mktemp("panel") / "p.parquet", [tuple(row) for row in rows])
    found = {one.sign: one for one in read_grid(Panel(file), 3600)}
    assert set(found) == set(readings)
    for sign, steps in readings.items():
        first = min(steps)
        assert found[sign].start_ms == START_MS + first * HOUR_MS
        expected = np.full(max(steps) - first + 1, np.nan, np.float32)
        for step, value in steps.items():
            expected[step - first] = value
        np.testing.assert_array_equal(found[sign].values, expected)


def test_signs_that_are_read_more_often_are_put_together(tmp_path: Path) -> None:
    quarter = HOUR_MS // 4
    rows = [("fast", quarter * k, float(k)) for k in range(1, 9)] + [("slow", 0, 5.0), ("slow", 2 * HOUR_MS, 7.0)]
    panel = Panel(write(tmp_path / "p.parquet", rows))
    with pytest.raises(DataError, match="do not lie on a grid of 3600 s, such as that of 'fast'"):
        read_grid(panel, 3600)
    expected = {Aggregate.MEAN: [2.5, 6.5], Aggregate.SUM: [10, 26], Aggregate.LAST: [4, 8]}
    for aggregate, values in expected.items():
        fast, slow = read_grid(panel, 3600, aggregate)
        assert fast.values.tolist() == values
        assert fast.start_ms == START_MS + HOUR_MS  # an hour's readings stand at its end: nothing later is in them
        np.testing.assert_array_equal(slow.values, np.array([5, np.nan, 7], np.float32))


def test_csv_is_read_like_parquet(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("id,t,v\na,2024-01-01T08:00:00+08:00,1.5\na,2024-01-01T01:00:00Z,\na,2024-01-01T02:00:00Z,3\n")
    (series,) = read_grid(Panel(file, PanelColumns("id", "t", "v")), 3600)
    assert series.start_ms == START_MS
    np.testing.assert_array_equal(series.values, np.array([1.5, np.nan, 3], np.float32))


def test_mistakes_are_named(tmp_path: Path) -> None:
    file = write(tmp_path / "p.parquet", [("a", 0, 1.0)])
    with pytest.raises(DataError, match=r"has no column \['flow'\]; it has \['sign', 'time', 'value'\]"):
        Panel(file, PanelColumns(value="flow"))
    with pytest.raises(DataError, match="cannot be opened"):
        Panel(tmp_path / "none.parquet")
    naive = pa.table({"sign": ["a"], "time": pa.array([0], pa.timestamp("ms")), "value": [1.0]})
    pq.write_table(naive, tmp_path / "naive.parquet")
    with pytest.raises(DataError, match="says no time zone"):
        Panel(tmp_path / "naive.parquet")
    broken = tmp_path / "broken.csv"
    broken.write_text("sign,time,value\na,2024-01-01T00:00:00Z,often\n")
    with pytest.raises(DataError, match="often"):
        Panel(broken).spans()
    empty = tmp_path / "empty.csv"
    empty.write_text("sign,time,value\n")
    with pytest.raises(DataError, match="has no rows"):
        Panel(empty).spans()


def lose_the_source() -> None:
    raise RuntimeError("the source was lost")


def test_a_forecast_file_is_whole_or_not_there(tmp_path: Path) -> None:
    spec = ForecastSpec(context=2, horizon=2, interval_s=3600, quantiles=(0.5,))
    file = tmp_path / "out" / "f.parquet"
    writer = ForecastWriter(file, (0.1, 0.5))
    with pytest.raises(RuntimeError, match="lost"), writer:
        lose_the_source()
    assert list(file.parent.iterdir()) == []
    with ForecastWriter(file, (0.1, 0.5)) as writer:
        writer.write(["a"], np.array([START_MS]), spec, np.ones((1, 2, 1), np.float32), model="m", version=1)
    table = pq.read_table(file).to_pydict()
    assert (table["sign"], table["q0.5"], table["q0.1"]) == (["a", "a"], [1.0, 1.0], [None, None])
    assert [time.timestamp() * 1000 - START_MS for time in table["time"]] == [HOUR_MS, 2 * HOUR_MS]
