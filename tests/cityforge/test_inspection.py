"""What is found in CSVs as people really write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityforge.inspection import describe_duration, inspect_csv, parse_number, split_unit
from contracts import DataError, from_ms

SHANGHAI = ZoneInfo("Asia/Shanghai")
ROME = ZoneInfo("Europe/Rome")
START = datetime(2024, 3, 1, tzinfo=UTC)


def hours(count: int, step: timedelta = timedelta(hours=1)) -> list[datetime]:
    return [START + index * step for index in range(count)]


def write(folder: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    file = folder / "my.csv"
    file.write_text("\n".join(lines) + "\n", encoding=encoding)
    return file


def test_a_wide_file_gives_one_series_a_column_with_its_unit(tmp_path: Path) -> None:
    rows = [f"{time.isoformat()},{10 + index % 5},{index}.5,fine" for index, time in enumerate(hours(60))]
    found = inspect_csv(write(tmp_path, ["time,flow (l/s),level [cm],remark", *rows]), SHANGHAI)
    assert (found.form, found.rows, found.left_out) == ("wide", 60, ("remark",))
    assert [(one.name, one.unit, one.interval_s) for one in found.series] == [
        ("flow (l/s)", "l/s", 3600),
        ("level [cm]", "cm", 3600),
    ]
    assert found.series[0].times_ms[0] == int(START.timestamp()) * 1000
    assert found.time.offsets == ("+00:00",)
    assert found.time.assumed_zone is None


def test_a_long_file_gives_one_series_a_name(tmp_path: Path) -> None:
    rows = [f"{time:%Y-%m-%d %H:%M},meter-{name},{index}" for index, time in enumerate(hours(60)) for name in "ab"]
    found = inspect_csv(write(tmp_path, ["when_time,meter,value", *rows]), SHANGHAI)
    assert (found.form, found.name_column, found.value_columns) == ("long", "meter", ("value",))
    assert sorted(one.name for one in found.series) == ["meter-a", "meter-b"]
    assert found.time.assumed_zone == "Asia/Shanghai"
    assert from_ms(found.series[0].times_ms[0]) == START - timedelta(hours=8)


def test_gaps_duplicates_revisions_and_missing_values_are_counted(tmp_path: Path) -> None:
    lines = [f"{time.isoformat()},{index}" for index, time in enumerate(hours(100))]
    del lines[40:45], lines[70]
    lines.insert(11, lines[10])
    lines.insert(21, lines[20].rpartition(",")[0] + ",999")
    lines[30] = lines[30].rpartition(",")[0] + ",NaN"
    lines[50], lines[51] = lines[51], lines[50]
    lines[60] = lines[60].rpartition(",")[0] + ",much"
    found = inspect_csv(write(tmp_path, ["time,flow", *lines]), SHANGHAI)
    (series,) = found.series
    assert (series.repeated, series.revised, series.empty) == (1, 1, 1)
    assert [gap.steps for gap in series.gaps][:1] == [5]
    assert series.missing_steps == 5 + 1 + 1 + 1
    assert found.out_of_order == 1
    assert found.unreadable == ("line 62: 'much' in 'flow' is no number",)


def test_a_change_of_the_written_offset_is_found_and_harms_nothing(tmp_path: Path) -> None:
    around = [datetime(2022, 3, 26, 12, tzinfo=UTC) + timedelta(hours=index) for index in range(60)]
    rows = [f"{time.astimezone(ROME).isoformat()},{time.hour}" for time in around]
    found = inspect_csv(write(tmp_path, ["Time,Flow", *rows]), SHANGHAI)
    (change,) = found.time.changes
    assert (change.before, change.after) == ("+01:00", "+02:00")
    assert from_ms(change.time_ms) == datetime(2022, 3, 27, 1, tzinfo=UTC)
    assert found.series[0].missing_steps == 0


def test_the_hour_that_the_clock_shows_twice_is_read_as_two(tmp_path: Path) -> None:
    around = [datetime(2022, 10, 29, 12, tzinfo=UTC) + timedelta(hours=index) for index in range(60)]
    rows = [f"{time.astimezone(ROME):%d.%m.%Y %H:%M};{time.hour},5" for time in around]
    found = inspect_csv(write(tmp_path, ["Datum;Durchfluss", *rows]), ROME)
    (series,) = found.series
    assert found.delimiter == ";"
    assert (series.missing_steps, series.repeated, series.revised) == (0, 0, 0)
    assert [from_ms(time_ms) for time_ms in series.times_ms] == around
    assert series.values[0] == 12.5


def test_chinese_encodings_and_dates_are_read(tmp_path: Path) -> None:
    rows = [f"{time:%Y年%m月%d日 %H:%M},{index}" for index, time in enumerate(hours(60))]
    found = inspect_csv(write(tmp_path, ["采集时间,流量（l/s）", *rows], encoding="gb18030"), SHANGHAI)
    assert (found.encoding, found.time.name) == ("gb18030", "采集时间")
    assert found.series[0].unit == "l/s"


@pytest.mark.parametrize("per_second", [1, 1000])
def test_epochs_are_read(tmp_path: Path, per_second: int) -> None:
    rows = [f"{int(time.timestamp()) * per_second},{index % 9}" for index, time in enumerate(hours(60))]
    found = inspect_csv(write(tmp_path, ["ts,value", *rows]), SHANGHAI)
    assert from_ms(found.series[0].times_ms[0]) == START
    assert found.time.assumed_zone is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["time,flow"], "holds 1 rows"),
        (["name,flow", *(f"n{i},{i}" for i in range(60))], "No column holds times"),
        (["time,remark", *(f"{time.isoformat()},calm" for time in hours(60))], "no column of numbers"),
        (["time,flow,flow", "2024-01-01T00:00Z,1,2"], "must name every column once"),
        (["time,flow", *(f"{time.isoformat()},1" for time in hours(10))], "48 readings"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        inspect_csv(write(tmp_path, lines), SHANGHAI)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_bytes(b"\xff\xfe\x00\x81" * 99)
    with pytest.raises(DataError, match="neither UTF-8 nor GB 18030"):
        inspect_csv(tmp_path / "my.csv", SHANGHAI)
    with pytest.raises(DataError, match="cannot be read"):
        inspect_csv(tmp_path / "none.csv", SHANGHAI)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_survive_being_written(value: float) -> None:
    assert parse_number(repr(value)) == value
    assert parse_number(f" {value!r} ") == value


def test_numbers_as_people_write_them() -> None:
    assert parse_number("1,234.5") == 1234.5
    assert parse_number("12,5") == 12.5
    assert parse_number("缺测") is None
    assert parse_number("inf") is None
    with pytest.raises(ValueError, match="could not convert"):
        parse_number("calm")


def test_units_and_durations_for_people() -> None:
    assert split_unit("flow (l/s)") == ("flow", "l/s")
    assert split_unit("水位[cm]") == ("水位", "cm")
    assert split_unit("flow") == ("flow", "")
    assert [describe_duration(s) for s in (30, 300, 3600, 86_400, 90)] == ["30 s", "5 min", "1 h", "1 d", "0:01:30"]
