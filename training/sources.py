"""Where readings for training come from: named sources, each a function from a recipe's data section to series."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from contracts import DataError, parse_utc, to_ms
from store.panels import Aggregate, Panel, PanelColumns, read_grid

from .series import Series, regular_series

MAXIMUM_CSV_BYTES = 2 * 1024**3


class WaterFlowData(BaseModel):
    """Hourly flow of a water main, shipped in the package river."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["river.WaterFlow"]
    sign: str = "water_main.flow"
    unit: str = "l/s"
    interval_s: int = 3600


class CsvData(BaseModel):
    """One CSV with a header row.

    Attributes:
        path: the file; relative paths are relative to the recipe.
        time: name of the column of ISO 8601 times with an offset.
        value: name of the column of values; an empty cell is a missing reading.
        sign: id of the sign, where the file holds one series.
        sign_column: name of the column of sign ids, where it holds many.
        interval_s: seconds between readings.
        unit: unit of the values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["csv"]
    path: Path
    time: str = "time"
    value: str = "value"
    sign: str = "series"
    sign_column: str | None = None
    interval_s: int = Field(gt=0)
    unit: str = ""


class PanelData(BaseModel):
    """Thousands of signs in one long table: a Parquet or CSV file, or a folder of Parquet files.

    Attributes:
        path: the file or folder; relative paths are relative to the recipe.
        sign: name of the column of sign ids.
        time: name of the column of event times, with a time zone or UTC offset.
        value: name of the column of values; null or NaN is a missing reading.
        interval_s: seconds between the model's steps.
        aggregate: what stands for several readings of one step, for signs that are read more often.
        unit: unit of the values; empty where signs differ, which families that scale each window do not mind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["panel"]
    path: Path
    sign: str = "sign"
    time: str = "time"
    value: str = "value"
    interval_s: int = Field(gt=0)
    aggregate: Aggregate = Aggregate.STRICT
    unit: str = ""


AnyData = WaterFlowData | CsvData | PanelData
DataSection = Annotated[AnyData, Field(discriminator="source")]


def read_series(data: AnyData, folder: Path) -> list[Series]:
    """Read the series of a recipe's data section.

    Args:
        data: the section.
        folder: the recipe's folder, for relative paths.

    Raises:
        DataError: if the source cannot be read.
    """
    return _READERS[data.source](data, folder)


def _read_water_flow(data: WaterFlowData, folder: Path) -> list[Series]:  # noqa: ARG001 - one signature
    # deferred: river loads scikit-learn, 2.4 s
    from river import datasets

    times, values = [], []
    for row, flow in datasets.WaterFlow():
        times.append(to_ms(row["Time"]))
        values.append(flow)
    return [regular_series(data.sign, np.array(times), np.array(values, dtype=np.float32), data.interval_s)]


def _read_csv(data: CsvData, folder: Path) -> list[Series]:
    path = data.path if data.path.is_absolute() else folder / data.path
    columns: dict[str, tuple[list[int], list[float]]] = {}
    try:
        if path.stat().st_size > MAXIMUM_CSV_BYTES:
            message = f"{str(path)!r} is larger than {MAXIMUM_CSV_BYTES} bytes. Split it, or give Parquet."
            raise DataError(message)
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_columns(reader.fieldnames or [], data, path)
            for row in reader:
                times, values = columns.setdefault(row[data.sign_column] if data.sign_column else data.sign, ([], []))
                times.append(to_ms(parse_utc(row[data.time])))
                values.append(_number(row[data.value], path, reader.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        message = f"{str(path)!r} cannot be read: {exc}. Give a readable UTF-8 CSV file."
        raise DataError(message) from exc
    if not columns:
        message = f"{str(path)!r} has no readings below its header. Give a file with data."
        raise DataError(message)
    return [
        regular_series(sign, np.array(times, dtype=np.int64), np.array(values, dtype=np.float32), data.interval_s)
        for sign, (times, values) in columns.items()
    ]


def _check_columns(header: Sequence[str], data: CsvData, path: Path) -> None:
    wanted = [data.time, data.value, *([data.sign_column] if data.sign_column else [])]
    missing = [name for name in wanted if name not in header]
    if missing:
        message = f"{str(path)!r} has no column {missing}; its columns are {list(header)}. Name them in [data]."
        raise DataError(message)


def _number(cell: str, path: Path, line: int) -> float:
    if not cell.strip():
        return float("nan")
    try:
        return float(cell)
    except ValueError as exc:
        message = f"{path.name}:{line}: {cell!r} is not a number. Correct it, or leave the cell empty where missing."
        raise DataError(message) from exc


def _read_panel(data: PanelData, folder: Path) -> list[Series]:
    path = data.path if data.path.is_absolute() else folder / data.path
    panel = Panel(path, PanelColumns(data.sign, data.time, data.value))
    return [
        Series(one.sign, one.start_ms, data.interval_s, one.values)
        for one in read_grid(panel, data.interval_s, data.aggregate)
    ]


_READERS: Mapping[str, Callable[..., list[Series]]] = {
    "river.WaterFlow": _read_water_flow,
    "csv": _read_csv,
    "panel": _read_panel,
}
