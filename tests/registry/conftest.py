"""A real registry on real SQLite files; MLflow's schema is made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts import GateResult, Task
from registry import ManifestDraft, Registry, Version, at_most
from registry.tracking import Tracking
from store import ReleaseStore, Store
from tests.gpu.graphs import declared_forecaster

PASSED = (at_most("parity", 1e-7, 1e-5, "relative error"),)
FAILED = (*PASSED, at_most("latency", 40.0, 20.0, "p95 of one request in milliseconds"))


@dataclass
class Workbench:
    """A registry with the parts it stands on."""

    folder: Path
    store: Store
    releases: ReleaseStore
    registry: Registry
    tracking_uri: str
    _made: int = field(default=0)

    def register(
        self, name: str = "flow.ridge", gates: Sequence[GateResult] = PASSED, *, fingerprint: str = ""
    ) -> Version:
        """Register another graph than before."""
        self._made += 1
        onnx = self.folder / f"{name}-{self._made}.onnx"
        onnx.write_bytes(declared_forecaster(seed=self._made))
        draft = ManifestDraft(task=Task.FORECAST, metrics={"mae": self._made / 10}, metadata={"family": "ridge"})
        with self.registry.run("water", f"run-{self._made}", parameters={"seed": self._made}) as run:
            return self.registry.register(name, onnx, draft, gates, run, fingerprint=fingerprint)

    def alias(self, name: str = "flow.ridge") -> int | None:
        """Return the version that MLflow's alias names."""
        found = self.client.get_registered_model(name).aliases.get("champion")
        return None if found is None else int(found)

    @property
    def client(self):  # type: ignore[no-untyped-def]  # mlflow ships no types
        """A client of MLflow of its own, as somebody else would use it."""
        return Tracking(self.tracking_uri, None).client


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    Tracking(f"sqlite:///{file}", None)
    return file


@pytest.fixture
def make_workbench(tmp_path: Path, empty_database: Path) -> Iterator[Callable[[], Workbench]]:
    stores: list[Store] = []

    def make() -> Workbench:
        folder = tmp_path / f"state-{len(stores)}"
        folder.mkdir()
        shutil.copyfile(empty_database, folder / "mlflow.db")
        store = Store.open(f"sqlite:///{folder / 'store.db'}", durable=False)
        stores.append(store)
        releases = ReleaseStore(folder / "releases")
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        return Workbench(folder, store, releases, Registry(uri, store, releases), uri)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def bench(make_workbench: Callable[[], Workbench]) -> Workbench:
    return make_workbench()
