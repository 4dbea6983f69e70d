"""Covariates on disk: what is known ahead of each step, and what does not change with time."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts import DataError, format_utc

MS_PER_S = 1000
_SIGN, _TIME = "sign", "time"
_INSTANT = pa.timestamp("ms", "UTC")


@dataclass(frozen=True, slots=True, eq=False)
class KnownCovariates:
    """Covariates that are known ahead, such as a planned closure: for each sign, or the same for all.

    Attributes:
        names: of the covariates.
        interval_ms: between their steps.
        starts_ms: first step of each part, shape ``(part,)``.
        offsets: where each part begins in ``values``, shape ``(part,)``.
        lengths: steps of each part, shape ``(part,)``.
        values: all parts behind each other, shape ``(row, feature)``; NaN where not known.
        part_of: sign → its part; None where there is one part for all.
    """

    names: tuple[str, ...]
    interval_ms: int
    starts_ms: NDArray[np.int64]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    values: NDArray[np.float32]
    part_of: dict[str, int] | None

    @classmethod
    def read(cls, path: Path, names: Sequence[str], interval_s: int) -> KnownCovariates:
        """Read a table with columns ``time``, the covariates', and ``sign`` where they differ by sign.

        Args:
            path: Parquet or CSV.
            names: columns of numbers or truth values.
            interval_s: seconds between steps; the last of several values of one step stands.

        Raises:
            DataError: if it cannot be read, or lacks a column.
        """
        table = _read_table(path, names)
        times_ms = pc.cast(pc.cast(table[_TIME], _INSTANT, safe=False), pa.int64()).to_numpy()
        columns = [pc.cast(table[name], pa.float32(), safe=False).to_numpy() for name in names]
        rows = np.stack(columns, 1).astype(np.float32)
        if _SIGN in table.column_names:
            coded = table[_SIGN].combine_chunks().dictionary_encode()
            signs = [str(name) for name in coded.dictionary.to_pylist()]
            parts = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            part_of: dict[str, int] | None = {sign: number for number, sign in enumerate(signs)}
            count = len(signs)
        else:
            parts, part_of, count = np.zeros(len(rows), np.int64), None, 1
        interval_ms = interval_s * MS_PER_S
        starts_ms, ends_ms = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
        np.minimum.at(starts_ms, parts, times_ms)
        np.maximum.at(ends_ms, parts, times_ms)
        lengths = (ends_ms - starts_ms) // interval_ms + 1
        offsets = np.cumsum(lengths) - lengths
        values = np.full((int(lengths.sum()), len(names)), np.nan, np.float32)
        values[offsets[parts] + (times_ms - starts_ms[parts]) // interval_ms] = rows
        return cls(tuple(names), interval_ms, starts_ms, offsets, lengths, values, part_of)

    def at(self, signs: Sequence[str], times_ms: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the covariates of signs at times, shape ``(sign, time, feature)``; NaN where not known.

        Args:
            signs: ids.
            times_ms: shape ``(sign, time)``.
        """
        found = np.full((*times_ms.shape, len(self.names)), np.nan, np.float32)
        if self.part_of is None:
            parts = np.zeros(len(signs), np.int64)
        else:
            parts = np.array([self.part_of.get(sign, -1) for sign in signs], np.int64)
        known = parts >= 0
        back = times_ms - self.starts_ms[parts][:, None]
        inside = (back >= 0) & (back < (self.lengths[parts] * self.interval_ms)[:, None]) & known[:, None]
        inside &= back % self.interval_ms == 0
        rows = self.offsets[parts][:, None] + back // self.interval_ms
        found[inside] = self.values[rows[inside]]
        return found

    def check(self, signs: Sequence[str], times_ms: NDArray[np.int64]) -> None:
        """Check that all covariates of signs are known at times, shape ``(sign, time)``.

        Raises:
            DataError: naming the first gap.
        """
        gaps = np.argwhere(np.isnan(self.at(signs, times_ms)))
        if len(gaps):
            sign, step, feature = gaps[0]
            message = (
                f"{self.names[feature]!r} of {signs[sign]!r} is not known at {format_utc(int(times_ms[sign, step]))}, "
                f"and {len(gaps) - 1} further values are missing. A forecast needs them for every step ahead: add them."
            )
            raise DataError(message)


def read_static(path: Path, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Read covariates that do not change with time from a CSV with a column ``sign`` and one for each.

    Returns:
        Sign → its covariates.

    Raises:
        DataError: if it cannot be read, lacks a column, or holds something that is no finite number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        message = f"{str(path)!r} cannot be read: {exc}. Give a readable UTF-8 CSV file."
        raise DataError(message) from exc
    found = {}
    for line, row in enumerate(rows, 2):
        try:
            cells = tuple(float(row[name]) for name in names)
            found[row[_SIGN]] = cells
        except (KeyError, TypeError, ValueError) as exc:
            message = f"{path.name}:{line}: needs a sign and numbers for {list(names)}, given {row!r}. Correct it."
            raise DataError(message) from exc
        if not np.isfinite(cells).all():
            message = f"{path.name}:{line}: {cells} are not all finite. Correct them."
            raise DataError(message)
    return found


def _read_table(path: Path, names: Sequence[str]) -> pa.Table:
    try:
        if path.suffix.lower() == ".csv":
            types = pv.ConvertOptions(column_types={_TIME: _INSTANT, _SIGN: pa.string()})
            table = pv.read_csv(str(path), convert_options=types)
        else:
            table = pq.read_table(str(path))
    except (OSError, pa.ArrowException) as exc:
        message = f"The covariates {str(path)!r} cannot be read: {exc}. Give a Parquet or CSV file that is readable."
        raise DataError(message) from exc
    missing = [name for name in (_TIME, *names) if name not in table.column_names]
    kind = pa.null() if _TIME in missing else table.schema.field(_TIME).type
    if missing or (pa.types.is_timestamp(kind) and kind.tz is None) or not table.num_rows:
        message = (
            f"The covariates {str(path)!r} need rows with time, its zone, and {list(names)}; it has {table.num_rows} "
            f"rows of {table.column_names}. Name its columns in [covariates]."
        )
        raise DataError(message)
    return table
