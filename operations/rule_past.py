"""The past that rules are backtested on: files of readings and archived evidence, or the inbox as it came.

A file is a panel (sign, time, value). A row whose sign reads ``node@place`` is evidence that a model brought: an
exceedance probability or a likelihood ratio. Files tell nothing of lateness: each row counts as known at its event
time. The inbox passes the engine itself, with the champions answering, and what the rules were then told is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts import DataError, Evidence, InboxItem
from early_warning import WarningConfiguration
from knowledge_graph import Assessment, CompiledRules, Fact
from store.panels import Panel

from .backtest import backtest
from .questions import Respondent
from .rule_backtest import Past

Floats = NDArray[np.float64]
Report = Callable[[float], None]
MS = 1000
_KEPT = pa.schema([("sign", pa.string()), ("time", pa.timestamp("ms", "UTC")), ("value", pa.float64())])


def read_past(files: Sequence[Path], rules: CompiledRules, times_ms: NDArray[np.int64] | None = None) -> Past:
    """Lay files on the grid of the rules' quickest sign; a step holds the last row of the interval that ends with it.

    Args:
        files: panels.
        rules: which signs and nodes are wanted; other rows are passed over.
        times_ms: instants to keep to, as of the past of other rules; None for what the files hold.

    Raises:
        DataError: if a file cannot be read, or holds nothing that the rules ask for.
    """
    panels = [Panel(file, exact=True) for file in files]
    wanted = _wanted(rules)
    step_ms = min(rules.ruleset.signs[sign].interval_s for sign in _signs(rules)) * MS
    ranges = [panel.time_range() for panel in panels]
    first_ms, last_ms = min(first for first, _ in ranges), max(last for _, last in ranges)
    if times_ms is not None:
        first_ms, last_ms = int(times_ms[0]), int(times_ms[-1])
        step_ms = int(times_ms[1]) - first_ms if times_ms.size > 1 else step_ms
    start, stop = -(-first_ms // step_ms), -(-last_ms // step_ms) + 1
    values = np.full((len(wanted), stop - start), np.nan)
    for panel in panels:
        rows = np.zeros(0, np.int64)
        for batch in panel.batches():
            if rows.size < len(panel.signs):
                rows = np.array([wanted.get(sign, -1) for sign in panel.signs])
            row, column = rows[batch.signs], -(-batch.times_ms // step_ms) - start
            inside = (row >= 0) & (column >= 0) & (column < stop - start) & np.isfinite(batch.values)
            values[row[inside], column[inside]] = batch.values[inside]
    told = np.flatnonzero(np.isfinite(values).any(axis=0))
    if not told.size:
        message = (
            f"{', '.join(map(str, files))}: no row is of a sign or node@place that the rules ask for, such as "
            f"{next(iter(wanted), 'none')!r}. Give the readings of the pack's signs."
        )
        raise DataError(message)
    kept = slice(0, stop - start) if times_ms is not None else slice(int(told[0]), int(told[-1]) + 1)
    return _past(np.arange(start, stop)[kept] * step_ms, {name: values[row, kept] for name, row in wanted.items()})


def write_past(past: Past, file: Path) -> None:
    """Write a past as one Parquet panel, to be read again by :func:`read_past`."""
    columns = {**past.readings, **{f"{node}@{place}": told for (node, place), told in past.evidence.items()}}
    file.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(file, _KEPT, compression="zstd") as writer:
        for name, told in columns.items():
            known = np.isfinite(told)
            times = pa.array(past.times_ms[known], pa.timestamp("ms", "UTC"))
            rows = [pa.array([name] * int(known.sum()), pa.string()), times, pa.array(told[known])]
            writer.write_table(pa.Table.from_arrays(rows, schema=_KEPT))


def record_past(
    configuration: WarningConfiguration,
    pack: str,
    items: Iterable[InboxItem],
    models: Respondent,
    progress: Callable[[int], None] | None = None,
) -> Past:
    """Pass inbox items through the engine and keep what one pack's rules were told.

    Args:
        configuration: what the engine is told; only this pack's rules are asked.
        pack: id of the pack.
        items: in the order of their sequence.
        models: who forecasts.
        progress: told how many items are taken.

    Raises:
        DataError: if no instant was decided.
    """
    recorder = _Recorder(configuration.rules[pack])

    def taken() -> Iterator[InboxItem]:
        for number, item in enumerate(items, start=1):
            if progress is not None:
                progress(number)
            yield item

    backtest(dataclasses.replace(configuration, rules={pack: recorder}), taken(), models)
    return recorder.past()


class _Recorder(CompiledRules):
    """Rules that keep what they are told."""

    def __init__(self, rules: CompiledRules) -> None:
        super().__init__(rules.ruleset)
        self._readings: dict[int, Mapping[str, float]] = {}
        self._evidence: dict[int, list[Evidence]] = {}

    def watch(
        self, memory: Mapping[str, Any], place: str, time_ms: int, values: Mapping[str, float]
    ) -> tuple[tuple[Fact, ...], dict[str, Any]]:
        self._readings[time_ms] = values  # the same for every place
        return super().watch(memory, place, time_ms, values)

    def assess(self, place: str, evidence: Sequence[Evidence] = (), facts: Sequence[Fact] = ()) -> list[Assessment]:
        self._evidence.setdefault(next(reversed(self._readings)), []).extend(evidence)
        return super().assess(place, evidence, facts)  # open episodes decide on what calibration learns

    def past(self) -> Past:
        """Return everything kept."""
        if not self._readings:
            message = "No instant was decided: the inbox holds no reading of a sign that the rules ask for."
            raise DataError(message)
        times_ms = np.array(list(self._readings), np.int64)
        told: dict[str, Floats] = {}
        for step, time_ms in enumerate(times_ms.tolist()):
            heard: dict[str, float] = dict(self._readings[time_ms])
            heard |= {f"{item.node}@{item.place}": item.value for item in self._evidence.get(time_ms, ())}
            for name, value in heard.items():
                told.setdefault(name, np.full(times_ms.size, np.nan))[step] = value
        return _past(times_ms, told)


def _past(times_ms: NDArray[np.int64], told: Mapping[str, Floats]) -> Past:
    evidence = {}
    for name, values in told.items():
        node, at, place = name.partition("@")
        if at and np.isfinite(values).any():
            evidence[node, place] = values
    return Past(times_ms, {name: values for name, values in told.items() if "@" not in name}, evidence)


def _wanted(rules: CompiledRules) -> dict[str, int]:
    names = [*_signs(rules), *(f"{binding.node}@{binding.place}" for binding in rules.bindings)]
    return {name: row for row, name in enumerate(dict.fromkeys(names))}


def _signs(rules: CompiledRules) -> list[str]:
    return list(dict.fromkeys(sign for one in rules.templates.values() for sign in one.rule.signs.values()))
