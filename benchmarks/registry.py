"""The registry when it is full: ``python -m benchmarks.registry --json`` prints one JSON object as its last line.

Only reading is measured at that size: the rows of a full ledger and of many versions are copies of real ones, written
straight into the tables. ``register_ms`` and ``promote_ms`` are measured on the empty registry. All times are
milliseconds, medians unless the key says otherwise.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from contracts import Task
from registry import ManifestDraft, Registry, at_most
from store import ReleaseStore, Store

NAME = "flow.ridge"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--promotions", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--versions", type=int, default=100, help="versions of each model")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cityforge-") as folder:
        figures = measure(Path(folder), arguments.promotions, arguments.models, arguments.versions)
    if not arguments.json:
        for key, value in figures.items():
            print(f"{key:32} {value:g}")
    print(json.dumps(figures))


def measure(folder: Path, promotions: int, models: int, versions: int) -> dict[str, float]:
    """Return all figures, measured on files in a folder."""
    state = folder / "state"
    state.mkdir()
    with Store.open(f"sqlite:///{state / 'store.db'}") as store:
        registry = Registry(f"sqlite:///{state / 'mlflow.db'}", store, ReleaseStore(state / "releases"))
        register_ms, promote_ms = _fill(registry, folder)
        _copy_ledger(state / "store.db", promotions)
        _copy_versions(state / "mlflow.db", models, versions)
        at_ms = _time_champions(registry, promotions)
        return {
            "promotions": promotions,
            "registered_versions": models * versions,
            "register_ms": register_ms,
            "promote_ms": promote_ms,
            "champion_at_p50_ms": float(np.percentile(at_ms, 50)),
            "champion_at_first_ms": at_ms[0],
            "champion_at_p99_ms": float(np.percentile(at_ms, 99)),
            "champion_at_max_ms": float(np.max(at_ms)),
            "models_ms": _median_ms(registry.models, 5),
            "versions_ms": _median_ms(lambda: registry.versions(NAME), 5),
            "version_ms": _median_ms(lambda: registry.version(NAME, 2), 20),
            "find_ms": _median_ms(lambda: registry.find("f" * 64), 20),
        }


def _fill(registry: Registry, folder: Path) -> tuple[float, float]:
    file = folder / "model.onnx"
    _write_graph(file)
    gates = (at_most("parity", 1e-7, 1e-5, "relative error"),)
    register_ms, promote_ms = [], []
    for number in range(1, 12):
        with registry.run("benchmark", f"run-{number}", parameters={}) as run:
            started = time.perf_counter()
            fingerprint = "f" * 64 if number == 1 else ""
            registry.register(NAME, file, ManifestDraft(task=Task.DETECT), gates, run, fingerprint=fingerprint)
            register_ms.append((time.perf_counter() - started) * 1e3)
        started = time.perf_counter()
        registry.promote(NAME, number, "benchmark")
        promote_ms.append((time.perf_counter() - started) * 1e3)
    return statistics.median(register_ms), statistics.median(promote_ms)


def _write_graph(file: Path) -> None:
    shape = ["batch", 4]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)


def _copy_ledger(file: Path, promotions: int) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        cursor = connection.execute("SELECT * FROM ledger ORDER BY sequence DESC LIMIT 1")
        columns = [column[0] for column in cursor.description]
        last = dict(zip(columns, cursor.fetchone(), strict=True))
        rows = (
            tuple({**last, "sequence": number, "time_ms": last["time_ms"] + number, "before": number - 1}.values())
            for number in range(last["sequence"] + 1, promotions + 1)
        )
        places = ", ".join("?" for _ in columns)
        connection.executemany(f"INSERT INTO ledger VALUES ({places})", rows)  # noqa: S608 - question marks alone
        connection.execute("UPDATE counter SET value = ? WHERE name = 'ledger'", (promotions,))


def _copy_versions(file: Path, models: int, versions: int) -> None:
    """Copy version 2, which carries no fingerprint, until each model has as many as asked."""
    with closing(sqlite3.connect(file)) as connection, connection:
        names = [NAME, *(f"flow.model-{number}" for number in range(1, models))]
        for table, columns in (
            (
                "model_versions",
                "source, run_id, status, storage_location, current_stage, creation_time, last_updated_time",
            ),
            ("model_version_tags", '"key", value'),
        ):
            query = (
                f"INSERT OR IGNORE INTO {table} (name, version, {columns}) "  # noqa: S608 - constants alone
                f"SELECT ?, ?, {columns} FROM {table} WHERE name = ? AND version = 2"
            )
            for name in names:
                if table == "model_versions":
                    connection.execute("INSERT OR IGNORE INTO registered_models (name) VALUES (?)", (name,))
                first = 12 if name == NAME else 1
                connection.executemany(query, [(name, number, NAME) for number in range(first, versions + 1)])


def _time_champions(registry: Registry, promotions: int) -> list[float]:
    newest = registry.champion(NAME)
    assert newest is not None  # noqa: S101 - promoted before
    generator = np.random.default_rng(0)
    taken_ms = []
    for back_ms in generator.integers(0, promotions, 200):
        moment = newest.time - timedelta(milliseconds=int(back_ms))
        started = time.perf_counter()
        registry.champion(NAME, moment)
        taken_ms.append((time.perf_counter() - started) * 1e3)
    started = time.perf_counter()
    registry.champion(NAME, datetime(2000, 1, 1, tzinfo=UTC))
    return [*taken_ms, (time.perf_counter() - started) * 1e3]


def _median_ms(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
