"""Times in a CSV: which column, in which form, with which offset, and where the offset changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

from contracts import DataError, from_ms, to_ms

SAMPLE_ROWS = 500
MOSTLY = 0.95
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
PREFERRED = ("time", "date", "stamp", "时间", "日期", "datetime", "ts")
SHOWN_LINES = 20

FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d %H:%M",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日 %H时",
    "%Y年%m月%d日",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
)
"""Tried in order; one must fit nearly all rows. Day before month wins only where the month before does not fit."""


@dataclass(frozen=True, slots=True)
class OffsetChange:
    """A row from which on times carry another UTC offset."""

    time_ms: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """The column of times.

    Attributes:
        name: its name.
        form: how times are written, for people.
        offsets: the UTC offsets found, in order of appearance; of the zone assumed where none is written.
        assumed_zone: the zone taken for times that carry no offset; None where they carry one.
        changes: where the offset changes.
        times_ms: one for each row; None where it could not be read.
        unreadable: lines that could not be read, and why.
    """

    name: str
    form: str
    offsets: tuple[str, ...]
    assumed_zone: str | None
    changes: tuple[OffsetChange, ...]
    times_ms: tuple[int | None, ...]
    unreadable: tuple[str, ...]


Parser = Callable[[str], datetime]


def read_times(columns: Mapping[str, Sequence[str]], zone: ZoneInfo) -> TimeColumn:
    """Find the column of times and read it.

    Args:
        columns: name → cells.
        zone: the zone of times that carry no offset.

    Raises:
        DataError: if no column holds times.
    """
    candidates = []
    for position, (name, cells) in enumerate(columns.items()):
        found = _find_parser(cells)
        if found is not None:
            is_preferred = any(word in name.lower() for word in PREFERRED)
            candidates.append((not is_preferred, position, name, found))
    if not candidates:
        message = f"No column holds times; the columns are {list(columns)}. Write them like 2022-04-27T13:00:00+08:00."
        raise DataError(message)
    _, _, name, (form, parse) = min(candidates, key=lambda one: one[:2])
    return _read_column(name, form, columns[name], parse, zone)


def _read_column(name: str, form: str, cells: Sequence[str], parse: Parser, zone: ZoneInfo) -> TimeColumn:
    times: list[int | None] = []
    offsets: list[tuple[int, str]] = []
    unreadable: list[str] = []
    naive = False
    last: datetime | None = None
    for line, cell in enumerate(cells, start=2):
        try:
            moment = parse(cell.strip())
        except ValueError:
            unreadable.append(f"line {line}: {cell!r} in {name!r} is no time")
            times.append(None)
            continue
        if moment.tzinfo is None:
            naive = True
            moment = _localise(moment, last, zone)
        last = moment
        times.append(to_ms(moment))
        offsets.append((to_ms(moment), _offset_text(moment)))
    order = list(dict.fromkeys(offset for _, offset in offsets))
    changes = [
        OffsetChange(later[0], earlier[1], later[1]) for earlier, later in pairwise(offsets) if earlier[1] != later[1]
    ]
    assumed = zone.key if naive else None
    return TimeColumn(name, form, tuple(order), assumed, tuple(changes), tuple(times), tuple(unreadable))


def _find_parser(cells: Sequence[str]) -> tuple[str, Parser] | None:
    sample = [cell.strip() for cell in cells[:: max(1, len(cells) // SAMPLE_ROWS)] if cell.strip()]
    if not sample:
        return None
    parsers: list[tuple[str, Parser]] = [("ISO 8601", _parse_iso), *_format_parsers()]
    parsers += [("seconds since 1970", _epoch_parser(1)), ("milliseconds since 1970", _epoch_parser(1000))]
    for form, parse in parsers:
        if sum(_fits(parse, cell) for cell in sample) >= MOSTLY * len(sample):
            return form, parse
    return None


def _format_parsers() -> list[tuple[str, Parser]]:
    def parser(pattern: str) -> Parser:
        return lambda cell: datetime.strptime(cell, pattern)

    return [(pattern, parser(pattern)) for pattern in FORMATS]


def _parse_iso(cell: str) -> datetime:
    if cell.isdigit():
        message = "a bare number is read as seconds"
        raise ValueError(message)
    return datetime.fromisoformat(cell)


def _epoch_parser(per_second: int) -> Parser:
    def parse(cell: str) -> datetime:
        moment = from_ms(round(float(cell) * 1000 / per_second))
        if len(cell.partition(".")[0]) < 10 or not EARLIEST < moment < LATEST:  # noqa: PLR2004 - digits of an epoch
            message = "not a time of our days"
            raise ValueError(message)
        return moment

    return parse


def _fits(parse: Parser, cell: str) -> bool:
    try:
        moment = parse(cell)
    except (ValueError, OverflowError):
        return False
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return EARLIEST < aware < LATEST


def _localise(moment: datetime, last: datetime | None, zone: tzinfo) -> datetime:
    """Return a local time in its zone; of an hour that the clock shows twice, the second once the first has passed."""
    first, second = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    is_doubled = first.utcoffset() != second.utcoffset() and to_ms(second) > to_ms(first)
    return second if is_doubled and last is not None and to_ms(last) >= to_ms(first) else first


def _offset_text(moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    sign = "-" if offset < timedelta() else "+"
    minutes = abs(offset) // timedelta(minutes=1)
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
