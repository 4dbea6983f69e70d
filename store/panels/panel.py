"""One long table of readings on disk, read in batches: what is held in memory is one batch and one line a sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.dataset as ds
from numpy.typing import NDArray

from contracts import DataError, from_ms, to_ms

BATCH_ROWS = 65_536
READAHEAD = 2
CSV_BLOCK_BYTES = 16 * 1024**2
_CSV_SUFFIXES = (".csv", ".csv.gz")
_INSTANT = pa.timestamp("ms", "UTC")


@dataclass(frozen=True, slots=True)
class PanelColumns:
    """Names of the columns of a panel.

    Attributes:
        sign: ids of signs.
        time: event times with a time zone or UTC offset.
        value: readings; null or NaN where missing.
    """

    sign: str = "sign"
    time: str = "time"
    value: str = "value"

    def names(self) -> list[str]:
        """Return the three names."""
        return [self.sign, self.time, self.value]


@dataclass(frozen=True, slots=True, eq=False)
class PanelBatch:
    """Some rows of a panel.

    Attributes:
        signs: number of each row's sign, an index of :attr:`Panel.signs`, shape ``(row,)``.
        times_ms: event times, shape ``(row,)``.
        values: float32, of an exact panel float64; shape ``(row,)``, NaN where missing.
    """

    signs: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Span:
    """When a sign was read.

    Attributes:
        first_ms: event time of its oldest row.
        last_ms: event time of its newest row.
        rows: how many rows it has.
    """

    first_ms: int
    last_ms: int
    rows: int


class Panel:
    """A panel on disk: one Parquet or CSV file, or a folder of Parquet files.

    Args:
        path: the file or folder.
        columns: names of its columns.
        exact: read values as float64, as thresholds of rules need them, instead of the float32 that models take.

    Raises:
        DataError: if it cannot be opened, lacks a column, or its times have no zone.
    """

    def __init__(self, path: Path, columns: PanelColumns | None = None, *, exact: bool = False) -> None:
        self.path = path
        self._kind = pa.float64() if exact else pa.float32()
        self.columns = columns or PanelColumns()
        self.signs: list[str] = []
        """Ids of the signs seen so far, in the order of their first row."""
        self._numbers: dict[str, int] = {}
        # Read as it is decoded, not whole column chunks ahead.
        self._scan = (
            None if self._is_csv() else ds.ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)
        )
        try:
            self._table = ds.dataset(str(path), format=self._format())
        except (OSError, pa.ArrowException) as exc:
            message = f"The panel {str(path)!r} cannot be opened: {exc}. Give a Parquet or CSV file that is readable."
            raise DataError(message) from exc
        self._check()

    def batches(self, since_ms: int | None = None, *, signs: Sequence[str] | None = None) -> Iterator[PanelBatch]:
        """Iterate over all rows in the order of the file.

        Args:
            since_ms: leave out earlier rows; of Parquet, parts that hold none later are not even read.
            signs: only these signs; None for all.

        Raises:
            DataError: if a row cannot be read as sign, time and number.
        """
        chosen = None
        if since_ms is not None and pa.types.is_timestamp(self._table.schema.field(self.columns.time).type):
            chosen = ds.field(self.columns.time) >= pa.scalar(from_ms(since_ms), _INSTANT)
        if signs is not None:
            wanted = ds.field(self.columns.sign).isin(list(signs))
            chosen = wanted if chosen is None else chosen & wanted
        try:
            for batch in self._table.to_batches(
                columns=self.columns.names(),
                filter=chosen,
                batch_size=BATCH_ROWS,
                batch_readahead=READAHEAD,
                fragment_readahead=READAHEAD,
                fragment_scan_options=self._scan,
            ):
                if batch.num_rows:
                    yield self._read(batch)
        except (OSError, pa.ArrowException) as exc:
            message = f"The panel {str(self.path)!r} cannot be read: {exc}. Mend the file, or name its columns."
            raise DataError(message) from exc

    def time_range(self) -> tuple[int, int]:
        """Return the first and the last event time of all rows, from the file's own statistics where it has them.

        Raises:
            DataError: if the panel has no rows, or cannot be read.
        """
        told = self._told_range()
        if told is None:
            spans = self.spans().values()
            told = min(span.first_ms for span in spans), max(span.last_ms for span in spans)
        return told

    def _told_range(self) -> tuple[int, int] | None:
        if self._is_csv() or not pa.types.is_timestamp(self._table.schema.field(self.columns.time).type):
            return None
        parts = [part for fragment in self._table.get_fragments() for part in fragment.row_groups if part.num_rows]
        told = [(part.statistics or {}).get(self.columns.time) for part in parts]
        if not told or any(one is None for one in told):
            return None
        ends = [to_ms(end) for one in told if one is not None for end in (one["min"], one["max"])]
        return min(ends), max(ends)

    def spans(self) -> dict[str, Span]:
        """Return first and last time of each sign, reading the panel once."""
        first, last, rows = (np.empty(0, np.int64) for _ in range(3))
        for batch in self.batches():
            grown = len(self.signs) - len(first)
            first = np.concatenate([first, np.full(grown, np.iinfo(np.int64).max)])
            last = np.concatenate([last, np.full(grown, np.iinfo(np.int64).min)])
            rows = np.concatenate([rows, np.zeros(grown, np.int64)])
            np.minimum.at(first, batch.signs, batch.times_ms)
            np.maximum.at(last, batch.signs, batch.times_ms)
            rows += np.bincount(batch.signs, minlength=len(rows))
        if not len(first):
            message = f"The panel {str(self.path)!r} has no rows. Give a file with readings."
            raise DataError(message)
        return {
            sign: Span(int(first[number]), int(last[number]), int(rows[number]))
            for number, sign in enumerate(self.signs)
        }

    def _is_csv(self) -> bool:
        return self.path.name.lower().endswith(_CSV_SUFFIXES)

    def _format(self) -> ds.FileFormat:
        if not self._is_csv():
            return ds.ParquetFileFormat()
        types = {self.columns.sign: pa.string(), self.columns.time: _INSTANT, self.columns.value: self._kind}
        return ds.CsvFileFormat(
            convert_options=pv.ConvertOptions(column_types=types),
            read_options=pv.ReadOptions(block_size=CSV_BLOCK_BYTES),
        )

    def _check(self) -> None:
        names = self._table.schema.names
        missing = [name for name in self.columns.names() if name not in names]
        if missing:
            message = f"The panel {str(self.path)!r} has no column {missing}; it has {names}. Name its columns."
            raise DataError(message)
        kind = self._table.schema.field(self.columns.time).type
        if not (pa.types.is_string(kind) or (pa.types.is_timestamp(kind) and kind.tz is not None)):
            message = (
                f"The column {self.columns.time!r} of {str(self.path)!r} is {kind}, which says no time zone. "
                "Give timestamps with a zone, such as timestamp[ms, UTC], or text with a UTC offset."
            )
            raise DataError(message)

    def _read(self, batch: pa.RecordBatch) -> PanelBatch:
        sign, time, value = (batch.column(name) for name in self.columns.names())
        if sign.null_count or time.null_count:
            message = (
                f"The panel {str(self.path)!r} has {sign.null_count} rows without a sign and {time.null_count} "
                "without a time. Take them out."
            )
            raise DataError(message)
        times_ms = pc.cast(pc.cast(time, _INSTANT, safe=False), pa.int64()).to_numpy(zero_copy_only=False)
        values = pc.cast(value, self._kind, safe=False).to_numpy(zero_copy_only=False)
        values = np.where(np.isfinite(values), values, values.dtype.type(np.nan)).astype(values.dtype, copy=False)
        return PanelBatch(self._number(sign), times_ms, values)

    def _number(self, column: pa.Array) -> NDArray[np.int64]:
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        names = [str(name) for name in coded.dictionary.to_pylist()]
        codes = coded.indices.to_numpy(zero_copy_only=False)
        used = np.unique(codes)  # a Parquet dictionary may hold signs that this batch does not
        numbers = np.zeros(len(names), np.int64)
        for code in used:
            name = names[code]
            if name not in self._numbers:
                self._numbers[name] = len(self.signs)
                self.signs.append(name)
            numbers[code] = self._numbers[name]
        found: NDArray[np.int64] = numbers[codes]
        return found
