"""Panels drawn by a seeded generator: hourly signs with a daily and a weekly cycle. They are no measurements of a city.

Each sign has its own level, size, daily shape and weekend; its noise is autocorrelated, and some readings are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts import parse_utc, to_ms

START_MS = to_ms(parse_utc("2024-01-01T00:00:00Z"))
HOUR_MS = 3_600_000
HOURS_PER_DAY, HOURS_PER_WEEK, DAYS_PER_WEEK = 24, 168, 7
HOURS_PER_YEAR = 8760
SIGNS_AT_ONCE = 250
MISSING_SHARE = 0.01
_SCHEMA = pa.schema(
    [("sign", pa.dictionary(pa.int32(), pa.string())), ("time", pa.timestamp("ms", "UTC")), ("value", pa.float32())]
)


def sign_names(count: int) -> list[str]:
    """Return ids of drawn signs."""
    return [f"drawn.s{number:05d}" for number in range(count)]


def draw_values(count: int, hours: int, *, seed: int, missing: float = MISSING_SHARE) -> NDArray[np.float32]:
    """Return readings of some signs, shape ``(sign, hour)``, NaN where missing.

    Args:
        count: signs.
        hours: readings of each.
        seed: of every draw.
        missing: share of readings that are missing.
    """
    random = np.random.default_rng(seed)
    hour = np.arange(hours)
    level = np.exp(random.normal(3, 1, (count, 1)))
    amplitudes = random.gamma(2, 0.15, (count, 3)) / np.arange(1, 4)
    phases = random.uniform(0, 2 * np.pi, (count, 3))
    day = sum(
        amplitudes[:, [k]] * np.sin(2 * np.pi * (k + 1) * hour / HOURS_PER_DAY + phases[:, [k]]) for k in range(3)
    )
    weekend = (hour // HOURS_PER_DAY % DAYS_PER_WEEK >= DAYS_PER_WEEK - 2) * random.normal(0, 0.3, (count, 1))
    values = level * (2 + day + weekend + _noise(random, count, hours))
    values[random.random((count, hours)) < missing] = np.nan
    return values.astype(np.float32)


def _noise(random: np.random.Generator, count: int, hours: int) -> NDArray[np.float64]:
    shocks = random.normal(0, 0.1, (count, hours))
    memory = random.uniform(0.3, 0.9, count)
    for step in range(1, hours):
        shocks[:, step] += memory * shocks[:, step - 1]
    return shocks


def write_drawn_panel(path: Path, count: int, hours: int, *, seed: int = 0, start_ms: int = START_MS) -> None:
    """Write a drawn panel as Parquet, sign after sign.

    Args:
        path: the file.
        count: signs.
        hours: readings of each.
        seed: of every draw.
        start_ms: event time of the first reading.
    """
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        for batch in _batches(count, hours, seed, start_ms):
            writer.write_batch(batch)


def _batches(count: int, hours: int, seed: int, start_ms: int) -> Iterator[pa.RecordBatch]:
    names = pa.array(sign_names(count))
    for first in range(0, count, SIGNS_AT_ONCE):
        size = min(SIGNS_AT_ONCE, count - first)
        values = draw_values(size, hours, seed=seed + first)
        numbers = np.repeat(np.arange(first, first + size, dtype=np.int32), hours)
        times = np.tile(start_ms + np.arange(hours, dtype=np.int64) * HOUR_MS, size)
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(numbers), names),
            pa.array(times).cast(_SCHEMA.field("time").type),
            pa.array(values.ravel()),
        ]
        yield pa.record_batch(columns, schema=_SCHEMA)
