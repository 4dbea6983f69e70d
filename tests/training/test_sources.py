from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts import DataError, format_utc
from training import read_series
from training.sources import CsvData, WaterFlowData


def csv_data(path: Path, text: str, **settings: str) -> CsvData:
    path.write_text(text, encoding="utf-8")
    return CsvData.model_validate({"source": "csv", "path": path, "interval_s": 3600, **settings})


def test_water_flow_is_hourly_in_utc_with_its_gaps() -> None:
    (flow,) = read_series(WaterFlowData(source="river.WaterFlow"), Path())
    assert format_utc(flow.start_ms) == "2022-03-20T10:00:00Z"
    assert len(flow.values) == 1379
    assert int(np.isnan(flow.values).sum()) == 111


def test_csv_with_many_signs_and_missing_cells(tmp_path: Path) -> None:
    text = "t,id,v\n2024-01-01T00:00Z,a,1\n2024-01-01T01:00Z,a,\n2024-01-01T03:00+01:00,a,3\n2024-01-01T00:00Z,b,9\n"
    data = csv_data(tmp_path / "x.csv", text, time="t", value="v", sign_column="id")
    one, two = read_series(data, tmp_path)
    np.testing.assert_array_equal(one.values, np.array([1, np.nan, 3], dtype=np.float32))
    assert (one.sign, two.sign) == ("a", "b")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,flow\n2024-01-01T00:00Z,1\n", "no column \\['value'\\]"),
        ("time,value\n2024-01-01T00:00Z,wet\n", "x.csv:2: 'wet' is not a number"),
        ("time,value\n2024-01-01T00:00,1\n", "no UTC offset"),
        ("time,value\nyesterday,1\n", "not an ISO 8601 time"),
        ("time,value\n", "has no readings below its header"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    data = csv_data(tmp_path / "x.csv", text)
    with pytest.raises(DataError, match=told):
        read_series(data, tmp_path)


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    data = CsvData(source="csv", path=Path("absent.csv"), interval_s=3600)
    with pytest.raises(DataError, match="cannot be read"):
        read_series(data, tmp_path)
