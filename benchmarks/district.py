"""The warning engine and its store with a district's signs: ``python -m benchmarks.district --json``.

2,600 drawn signs, all due at every instant, one forecaster answering for all (its numbers are drawn, not inferred): how
long the engine takes to read, prepare and decide an instant, how long the store to commit it, and how much is written.
Rules are not loaded. It says nothing of the quality of warnings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.drawn_panels import HOUR_MS, START_MS, draw_values, sign_names
from contracts import (
    Domain,
    Forecast,
    ForecastSpec,
    InboxItem,
    InboxKind,
    Place,
    PlaceLevel,
    PlaceTree,
    Quality,
    Reading,
    Sign,
    SignCatalogue,
    Text,
    from_ms,
)
from early_warning import Assignment, ForecastRequest, Outcome, WarningConfiguration, WarningEngine
from store import RuntimeCommit, Store

SPEC = ForecastSpec(context=168, horizon=24, interval_s=3600, quantiles=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95))
PLACE = Place(id="drawn", name=Text(zh="抽样区", en="Drawn"), level=PlaceLevel.CITY)
BATCH = 500
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Costs:
    """Seconds and bytes of each instant."""

    engine_s: list[float] = field(default_factory=list)
    commit_s: list[float] = field(default_factory=list)
    written_bytes: list[int] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signs", type=int, default=2600)
    parser.add_argument("--instants", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cityforge-") as folder:
        figures = measure(Path(folder), arguments.signs, arguments.instants)
    if not arguments.json:
        for key, value in figures.items():
            print(f"{key:32} {value:g}")
    print(json.dumps(figures))


def measure(folder: Path, count: int, instants: int) -> dict[str, float]:
    """Return all figures; the second half of the instants is what is measured, when forecasts have piled up."""
    names = sign_names(count)
    values = draw_values(count, instants, seed=0)
    with Store.open(f"sqlite:///{folder / 'store.db'}") as store:
        store.places.put([PLACE])
        signs = [_sign(name) for name in names]
        store.signs.put(signs)
        configuration = WarningConfiguration(
            signs=SignCatalogue(signs),
            places=PlaceTree([PLACE]),
            assignments=dict.fromkeys(names, Assignment("drawn.global", SPEC)),
        )
        costs = _run(store, configuration, values, names)
        started = time.perf_counter()
        state = store.runtime.load("main").state
        loaded_s = time.perf_counter() - started
        started = time.perf_counter()
        WarningEngine(configuration, state)
        restored_s = time.perf_counter() - started
        state_mib = sum(len(json.dumps(one)) for one in state.values()) / 2**20
    half = instants // 2
    return {
        "signs": count,
        "engine_s": statistics.median(costs.engine_s[half:]),
        "commit_s": statistics.median(costs.commit_s[half:]),
        "written_mib": statistics.median(costs.written_bytes[half:]) / 2**20,
        "state_mib": state_mib,
        "load_s": loaded_s,
        "restore_s": restored_s,
        "store_mib": (folder / "store.db").stat().st_size / 2**20,
    }


def _run(store: Store, configuration: WarningConfiguration, values: NDArray[np.float32], names: list[str]) -> Costs:
    """Go through the instants as the runtime does: in batches of items, each instant in one transaction."""
    run = _Run(store, WarningEngine(configuration))
    offset = 0
    for hour in range(values.shape[1]):
        run.spend_nothing()
        items, offset = _feed(store, values[:, hour], names, hour, offset)
        for start in range(0, len(items), BATCH):
            run.work(items[start : start + BATCH])
        run.costs.engine_s.append(run.engine_s)
        run.costs.commit_s.append(run.commit_s)
        run.costs.written_bytes.append(run.written_bytes)
    return run.costs


class _Run:
    """The runtime's loop with a stop watch."""

    def __init__(self, store: Store, engine: WarningEngine) -> None:
        self._store, self._engine = store, engine
        self._lease = store.leases.acquire("main", "benchmark", 3600, START_MS)
        self._random = np.random.default_rng(0)
        self.costs = Costs()
        self.spend_nothing()

    def spend_nothing(self) -> None:
        """Begin an instant."""
        self.engine_s, self.commit_s, self.written_bytes = 0.0, 0.0, 0

    def work(self, items: list[InboxItem]) -> None:
        """Take items in and decide what they make due."""
        for item in items:
            self._watch(partial(self._engine.accept, item))
            while due := self._watch(self._engine.due):
                for instant_ms in due:
                    requests = self._watch(partial(self._engine.prepare, instant_ms))
                    forecasts = draw_forecasts(requests, instant_ms, self._random)
                    outcome = self._watch(partial(self._engine.decide, instant_ms, forecasts))
                    self._commit(outcome, item.sequence)
        self._commit(self._watch(self._engine.settle), items[-1].sequence)

    def _watch(self, work: Callable[[], _Result]) -> _Result:
        started = time.perf_counter()
        result = work()
        self.engine_s += time.perf_counter() - started
        return result

    def _commit(self, outcome: Outcome, offset: int) -> None:
        started = time.perf_counter()
        step = RuntimeCommit(offset, outcome.state, outcome.episodes, outcome.incidents, outcome.outbox)
        self._store.runtime.commit(self._lease, step)
        self.commit_s += time.perf_counter() - started
        self.written_bytes += sum(len(json.dumps(value)) for value in outcome.state.values() if value is not None)


def _feed(
    store: Store, values: NDArray[np.float32], names: list[str], hour: int, offset: int
) -> tuple[list[InboxItem], int]:
    time_ms = START_MS + hour * HOUR_MS
    known = [(name, float(value)) for name, value in zip(names, values, strict=True) if np.isfinite(value)]
    readings = [Reading(sign=name, time=from_ms(time_ms), value=value, quality=Quality.GOOD) for name, value in known]
    store.inbox.append(readings, time_ms)
    store.inbox.append_tick(time_ms + HOUR_MS // 2)
    items = store.inbox.read(offset, 100_000)
    assert items[-1].kind is InboxKind.TICK  # noqa: S101 - what decides the instant
    return items, items[-1].sequence


def draw_forecasts(
    requests: list[ForecastRequest], instant_ms: int, random: np.random.Generator
) -> dict[str, Forecast]:
    """Return a drawn forecast for each request."""
    widths = np.sort(random.normal(0, 1, (len(requests), SPEC.horizon, len(SPEC.quantiles))), axis=2)
    return {
        request.sign: Forecast(
            sign=request.sign,
            origin_ms=instant_ms,
            interval_s=SPEC.interval_s,
            quantiles=SPEC.quantiles,
            values=(np.nanmean(request.context) + rows).astype(np.float32),
            model="drawn.global",
            version=1,
        )
        for request, rows in zip(requests, widths, strict=True)
    }


def _sign(name: str) -> Sign:
    return Sign(
        id=name,
        title=Text(zh=name, en=name),
        place=PLACE.id,
        unit="1",
        interval_s=HOUR_MS // 1000,
        source="drawn",
        domain=Domain.LIVELIHOOD,
    )


if __name__ == "__main__":
    main()
