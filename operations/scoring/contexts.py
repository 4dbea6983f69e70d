"""Where contexts come from: a panel on disk, or the readings in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from store import Store
from store.panels import Aggregate, Panel

from .scorer import MS_PER_S, Scorer


class Contexts(Protocol):
    """Where the last readings of signs come from."""

    def newest_ms(self) -> Mapping[str, int]:
        """Return the event time of the newest reading of each sign."""

    def read(self, signs: Sequence[str], origins_ms: NDArray[np.int64], scorer: Scorer) -> NDArray[np.float32]:
        """Return contexts, shape ``(sign, time)``, NaN where missing, that end at the origins."""


class PanelContexts:
    """The last readings of the signs of a panel on disk.

    Args:
        panel: streamed once for the newest times, then once for every 256 MiB of contexts.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def newest_ms(self) -> Mapping[str, int]:
        """See :class:`Contexts`."""
        return {sign: span.last_ms for sign, span in self._panel.spans().items()}

    def read(self, signs: Sequence[str], origins_ms: NDArray[np.int64], scorer: Scorer) -> NDArray[np.float32]:
        """See :class:`Contexts`; a step holds the readings of the interval that ends with it."""
        interval_ms, length = scorer.spec.interval_s * MS_PER_S, scorer.spec.context
        row_of = np.full(len(self._panel.signs), -1, np.int64)
        position = {sign: row for row, sign in enumerate(signs)}
        for number, sign in enumerate(self._panel.signs):
            row_of[number] = position.get(sign, -1)
        table = _StepTable(len(signs), length, scorer.aggregate)
        for batch in self._panel.batches(since_ms=int(origins_ms.min()) - length * interval_ms + 1):
            rows = row_of[batch.signs]
            back = (origins_ms[rows] - batch.times_ms) // interval_ms
            used = (rows >= 0) & (back >= 0) & (back < length) & np.isfinite(batch.values)
            table.add(rows[used], length - 1 - back[used], batch.values[used])
        return table.finish()


class _StepTable:
    def __init__(self, signs: int, length: int, aggregate: Aggregate) -> None:
        additive = aggregate in (Aggregate.MEAN, Aggregate.SUM)
        self._aggregate = aggregate
        self._counts = np.zeros((signs, length), np.uint32) if additive else None
        self._values = np.full((signs, length), 0.0 if additive else np.nan, np.float32)

    def add(self, rows: NDArray[np.int64], steps: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        if self._counts is None:
            self._values[rows, steps] = values
        else:
            np.add.at(self._values, (rows, steps), values)
            np.add.at(self._counts, (rows, steps), 1)

    def finish(self) -> NDArray[np.float32]:
        if self._counts is not None:
            if self._aggregate is Aggregate.MEAN:
                np.divide(self._values, self._counts, out=self._values, where=self._counts > 0)
            self._values[self._counts == 0] = np.nan
        return self._values


class StoreContexts:
    """The last readings in the store.

    Args:
        store: its readings archive is asked.
        signs: ids of the signs to be forecast.
    """

    def __init__(self, store: Store, signs: Sequence[str]) -> None:
        self._store = store
        self._signs = signs

    def newest_ms(self) -> Mapping[str, int]:
        """See :class:`Contexts`."""
        return self._store.readings.latest(self._signs)

    def read(self, signs: Sequence[str], origins_ms: NDArray[np.int64], scorer: Scorer) -> NDArray[np.float32]:
        """See :class:`Contexts`."""
        rows = np.full((len(signs), scorer.spec.context), np.nan, np.float32)
        for origin_ms in np.unique(origins_ms):
            at = np.flatnonzero(origins_ms == origin_ms).tolist()
            found = self._store.readings.window([signs[row] for row in at], int(origin_ms), scorer.spec.context)
            for row in at:
                rows[row] = found[signs[row]]
        return rows
