"""Forecasts as a table: one row for each sign and step, one column for each quantile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts import DataError, ForecastSpec

MS_PER_S = 1000
_INSTANT = pa.timestamp("ms", "UTC")


def quantile_column(level: float) -> str:
    """Return the name of a quantile's column, such as ``q0.05``."""
    return f"q{level:g}"


class ForecastWriter:
    """Writes forecasts to Parquet, or to CSV where the name ends so.

    The file stands under its name only when it is whole.

    Args:
        path: the file.
        quantiles: probabilities that get a column; one that a model does not forecast is empty in its rows.

    Raises:
        DataError: if it cannot be written.
    """

    def __init__(self, path: Path, quantiles: Sequence[float]) -> None:
        self.rows = 0
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        fixed = [
            ("sign", pa.dictionary(pa.int32(), pa.string())),
            ("origin", _INSTANT),
            ("time", _INSTANT),
            ("model", pa.dictionary(pa.int32(), pa.string())),
            ("version", pa.int32()),
        ]
        self._is_csv = path.suffix.lower() == ".csv"
        if self._is_csv:
            fixed = [(name, pa.string() if pa.types.is_dictionary(kind) else kind) for name, kind in fixed]
        self._quantiles = tuple(quantiles)
        self._schema = pa.schema([*fixed, *((quantile_column(level), pa.float32()) for level in quantiles)])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = pv.CSVWriter if self._is_csv else pq.ParquetWriter
            self._writer = kind(str(self._partial), self._schema)
        except (OSError, pa.ArrowException) as exc:
            message = f"{str(path)!r} cannot be written: {exc}. Give a path in a folder that can be written to."
            raise DataError(message) from exc

    def write(
        self,
        signs: Sequence[str],
        origins_ms: NDArray[np.int64],
        spec: ForecastSpec,
        values: NDArray[np.float32],
        *,
        model: str,
        version: int,
    ) -> None:
        """Write forecasts of one model.

        Args:
            signs: ids.
            origins_ms: event time of the last step of each context, shape ``(sign,)``.
            spec: says what interval and which quantiles they have.
            values: shape ``(sign, horizon, quantile)``.
            model: who made them.
            version: of the model.
        """
        count, horizon, _ = values.shape
        times_ms = origins_ms[:, None] + np.arange(1, horizon + 1) * spec.interval_s * MS_PER_S  # (sign, horizon)
        ids = pa.array(np.repeat(np.arange(count, dtype=np.int32), horizon))
        who = pa.array(np.zeros(count * horizon, dtype=np.int32))
        columns = [
            pa.DictionaryArray.from_arrays(ids, pa.array(signs, pa.string())),
            pa.array(np.repeat(origins_ms, horizon)).cast(_INSTANT),
            pa.array(times_ms.ravel()).cast(_INSTANT),
            pa.DictionaryArray.from_arrays(who, pa.array([model], pa.string())),
            pa.array(np.full(count * horizon, version, np.int32)),
            *(_column(values, spec.quantiles, level) for level in self._quantiles),
        ]
        if self._is_csv:
            columns = [column.cast(field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self.rows += count * horizon

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the whole file in its place; after an error leave none."""
        self._writer.close()
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)


def _column(values: NDArray[np.float32], levels: tuple[float, ...], level: float) -> pa.Array:
    if level not in levels:
        return pa.nulls(values.shape[0] * values.shape[1], pa.float32())
    return pa.array(np.ascontiguousarray(values[:, :, levels.index(level)]).ravel())
