"""What is in a CSV of measurements: columns, form, times, interval, gaps, duplicates, changes of the UTC offset.

It looks and says what it found; :mod:`cityforge.project` writes a project from it. Nothing is repaired silently: what
cannot be read is counted and named with its line.
"""

from __future__ import annotations

import csv
import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts import DataError

from .timestamps import TimeColumn, read_times

MAXIMUM_BYTES = 512 * 1024 * 1024
SAMPLE_ROWS = 500
ENCODINGS = ("utf-8-sig", "gb18030")
DELIMITERS = ",;\t|"
MISSING = frozenset({"", "-", "--", "na", "n/a", "nan", "null", "none", "nil", "缺测", "无"})
UNITS = frozenset(
    (  # noqa: SIM905 - one string stays readable, a list of ninety does not
        "% ‰ mm cm m km m² m2 m³ m3 l ml mm/h mm/min m/s km/h kmh l/s l/min m³/h m3/h m³/s m3/s m³/d t t/h kg g mg µg "
        "mg/l µg/m³ µg/m3 mg/m³ °c ℃ c k pa hpa kpa mpa bar v mv kv a ma w kw mw gw wh kwh mwh hz khz db db(a) dba "
        "lux lx ppm ppb s ms min h d veh/h 辆/h 次/h 人/h 件/h 件/d 厘米 毫米 米 公里 吨 升 立方米 千瓦时 摄氏度 分贝 "
        "次 人 件 辆"
    ).split()
)
"""Units that a header may carry without brackets, in lower case."""
MOSTLY = 0.95
FEWEST_READINGS = 48
MAXIMUM_SERIES = 10_000
SHOWN_GAPS = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without readings: first and last missing step, in ms, and how many steps are missing."""

    first_ms: int
    last_ms: int
    steps: int


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """What is known of one series.

    Attributes:
        name: the column or the id it was found under.
        unit: read from the name of its column, or in the long form of the column of values; empty if none stands there.
        times_ms: event times, increasing, one for each reading kept.
        values: values, of the same length; the last of several at one time stands.
        interval_s: the commonest step between readings.
        off_grid: readings that do not lie on the grid of the interval.
        gaps: missing stretches, longest first.
        repeated: rows with time and value of another row.
        revised: rows with the time of another row and another value.
        empty: rows whose value says that there is none.
    """

    name: str
    unit: str
    times_ms: tuple[int, ...]
    values: tuple[float, ...]
    interval_s: int
    off_grid: int
    gaps: tuple[Gap, ...]
    repeated: int
    revised: int
    empty: int

    @property
    def missing_steps(self) -> int:
        """Steps without a reading between the first and the last."""
        return sum(gap.steps for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is in a file.

    Attributes:
        path: the file.
        encoding: how it is written.
        delimiter: what separates its cells.
        form: ``wide`` with one column a series, or ``long`` with one column of names.
        time: its column of times.
        value_columns: its columns of values.
        name_column: in the long form, the column of names.
        left_out: columns that are neither, such as comments.
        rows: data rows.
        out_of_order: rows whose time lies before that of the row before, within a series.
        unreadable: lines and what is wrong with them.
        series: the series, by name.
    """

    path: Path
    encoding: str
    delimiter: str
    form: str
    time: TimeColumn
    value_columns: tuple[str, ...]
    name_column: str | None
    left_out: tuple[str, ...]
    rows: int
    out_of_order: int
    unreadable: tuple[str, ...]
    series: tuple[FoundSeries, ...]


@dataclass(slots=True)
class _Collected:
    """Rows of one series while they are read."""

    times_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    empty: int = 0


def inspect_csv(path: Path, zone: ZoneInfo) -> Findings:
    """Find out what is in a CSV.

    Args:
        path: the file, with a header row.
        zone: the zone of times that carry no offset.

    Raises:
        DataError: if it cannot be read, or holds no times or no numbers.
    """
    encoding, text = _read_text(path)
    delimiter = _find_delimiter(text)
    table = list(csv.reader(text.splitlines(), delimiter=delimiter))
    header, rows = _split_header(table, path)
    columns = {name: [row[index] if index < len(row) else "" for row in rows] for index, name in enumerate(header)}
    time = read_times(columns, zone)
    numeric = [name for name in header if name != time.name and _is_numeric(columns[name])]
    if not numeric:
        message = f"{str(path)!r} has no column of numbers beside {time.name!r}; its columns are {header}."
        raise DataError(message)
    name_column = _find_name_column(header, columns, time, numeric)
    values = tuple(numeric if name_column is None else [name for name in numeric if name != name_column][:1])
    collected, unreadable, out_of_order = _collect(columns, time, values, name_column)
    shared_unit = "" if name_column is None else split_unit(values[0])[1]
    series = tuple(
        _describe(name, rows, shared_unit) for name, rows in collected.items() if len(rows.times_ms) >= FEWEST_READINGS
    )
    if not series:
        message = f"No series in {str(path)!r} has the {FEWEST_READINGS} readings that a model needs at the least."
        raise DataError(message)
    used = {time.name, name_column, *values}
    return Findings(
        path=path,
        encoding=encoding,
        delimiter=delimiter,
        form="wide" if name_column is None else "long",
        time=time,
        value_columns=values,
        name_column=name_column,
        left_out=tuple(name for name in header if name not in used),
        rows=len(rows),
        out_of_order=out_of_order,
        unreadable=tuple(unreadable),
        series=series,
    )


def parse_number(cell: str) -> float | None:
    """Return the number in a cell, or None where it says that there is none.

    Raises:
        ValueError: if it is neither.
    """
    text = cell.strip()
    if text.lower() in MISSING:
        return None
    if "," in text:  # 1,234.5 is grouped; 12,5 is a decimal comma
        text = text.replace(",", "") if "." in text else text.replace(",", ".", 1)
    number = float(text)
    return number if math.isfinite(number) else None


def split_unit(name: str) -> tuple[str, str]:
    """Return a column's name and its unit, or an empty one.

    Read are units in brackets (``flow (l/s)``) and, where the last word is a unit in common use, those behind a space
    or an underscore (``水位 cm``, ``level_cm``).
    """
    for opening, closing in ("()", "[]", "（）"):
        if name.endswith(closing) and opening in name:
            head, _, unit = name[: -len(closing)].rpartition(opening)
            return (head.strip() or name), unit.strip()[:32]
    found = re.fullmatch(r"(.+?)[\s_]+(\S+)", name.strip())
    if found is not None and found[2].lower() in UNITS:
        return found[1], found[2]
    return name.strip(), ""


def _read_text(path: Path) -> tuple[str, str]:
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            message = f"{str(path)!r} is larger than {MAXIMUM_BYTES} bytes. Give a part of it to begin with."
            raise DataError(message)
        data = path.read_bytes()
    except OSError as exc:
        message = f"{str(path)!r} cannot be read: {exc.strerror or exc}. Give a CSV file."
        raise DataError(message) from exc
    for encoding in ENCODINGS:
        try:
            return encoding, data.decode(encoding)
        except UnicodeDecodeError:
            continue
    message = f"{str(path)!r} is neither UTF-8 nor GB 18030 text. Save it as CSV in UTF-8."
    raise DataError(message)


def _find_delimiter(text: str) -> str:
    lines = text.splitlines()[:SAMPLE_ROWS]
    counts = {delimiter: [line.count(delimiter) for line in lines if line.strip()] for delimiter in DELIMITERS}
    steady = {delimiter: min(found) for delimiter, found in counts.items() if found and min(found) > 0}
    return max(steady, key=lambda delimiter: steady[delimiter]) if steady else ","


def _split_header(table: list[list[str]], path: Path) -> tuple[list[str], list[list[str]]]:
    filled = [row for row in table if any(cell.strip() for cell in row)]
    if len(filled) < 2:  # noqa: PLR2004 - a header and one row
        message = f"{str(path)!r} holds {len(filled)} rows. Give a header row and data below it."
        raise DataError(message)
    header = [cell.strip() for cell in filled[0]]
    doubled = [name for name, count in Counter(header).items() if count > 1]
    if doubled or "" in header:
        message = f"The header of {str(path)!r} must name every column once; it is {header}."
        raise DataError(message)
    return header, filled[1:]


def _is_numeric(cells: Sequence[str]) -> bool:
    numbers = unreadable = 0
    for cell in _sample(cells):
        try:
            numbers += parse_number(cell) is not None
        except ValueError:
            unreadable += 1
    return numbers > 0 and numbers >= MOSTLY * (numbers + unreadable)


def _find_name_column(
    header: list[str], columns: dict[str, list[str]], time: TimeColumn, numeric: list[str]
) -> str | None:
    """Return the column of series' names where times repeat and a column of text tells the rows apart."""
    known = [time_ms for time_ms in time.times_ms if time_ms is not None]
    if len(set(known)) > MOSTLY * len(known):
        return None
    best: str | None = None
    fewest = len(known)
    for name in header:
        if name == time.name:
            continue
        distinct = len(set(columns[name]))
        pairs = len(set(zip(time.times_ms, columns[name], strict=True)))
        is_name = name not in numeric or (len(numeric) > 1 and _are_labels(columns[name]))
        if is_name and 1 < distinct < fewest and pairs > MOSTLY * len(known):
            best, fewest = name, distinct
    return best


def _are_labels(cells: Sequence[str]) -> bool:
    return all(cell.strip().isdigit() for cell in _sample(cells))


def _sample(cells: Sequence[str]) -> Sequence[str]:
    step = max(1, len(cells) // SAMPLE_ROWS)
    return cells[::step]


def _collect(
    columns: dict[str, list[str]], time: TimeColumn, values: tuple[str, ...], name_column: str | None
) -> tuple[dict[str, _Collected], list[str], int]:
    collected: dict[str, _Collected] = defaultdict(_Collected)
    unreadable = list(time.unreadable)
    out_of_order = 0
    for index, time_ms in enumerate(time.times_ms):
        if time_ms is None:
            continue
        for column in values:
            rows = collected[column if name_column is None else columns[name_column][index].strip()]
            try:
                value = parse_number(columns[column][index])
            except ValueError:
                unreadable.append(f"line {index + 2}: {columns[column][index]!r} in {column!r} is no number")
                continue
            if value is None:
                rows.empty += 1
                continue
            out_of_order += bool(rows.times_ms) and time_ms < rows.times_ms[-1]
            rows.times_ms.append(time_ms)
            rows.values.append(value)
    if len(collected) > MAXIMUM_SERIES:
        message = (
            f"{len(collected)} series were found; at most {MAXIMUM_SERIES} are taken. Is {name_column!r} the name?"
        )
        raise DataError(message)
    return dict(collected), unreadable, out_of_order


def _describe(name: str, rows: _Collected, shared_unit: str) -> FoundSeries:
    kept: dict[int, float] = {}
    repeated = revised = 0
    for time_ms, value in zip(rows.times_ms, rows.values, strict=True):
        if time_ms in kept:
            repeated += kept[time_ms] == value
            revised += kept[time_ms] != value
        kept[time_ms] = value
    times = sorted(kept)
    interval_s = _find_interval(times)
    gaps = sorted(_find_gaps(times, interval_s), key=lambda gap: -gap.steps)
    off_grid = sum((time_ms - times[0]) % (interval_s * 1000) != 0 for time_ms in times)
    unit = split_unit(name)[1] or shared_unit
    ordered = tuple(kept[time_ms] for time_ms in times)
    return FoundSeries(
        name, unit, tuple(times), ordered, interval_s, off_grid, tuple(gaps), repeated, revised, rows.empty
    )


def _find_interval(times_ms: Sequence[int]) -> int:
    steps = [later - earlier for earlier, later in pairwise(times_ms)]
    return max(1, round(statistics.mode(steps) / 1000)) if steps else 1


def _find_gaps(times_ms: Sequence[int], interval_s: int) -> Iterable[Gap]:
    step_ms = interval_s * 1000
    for earlier, later in pairwise(times_ms):
        missing = round((later - earlier) / step_ms) - 1
        if missing > 0:
            yield Gap(earlier + step_ms, earlier + missing * step_ms, missing)


def describe_duration(seconds: int) -> str:
    """Return a duration for people: ``15 min``, ``1 h``, ``1 d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return str(timedelta(seconds=seconds)) if seconds >= 60 else f"{seconds} s"  # noqa: PLR2004 - a minute
