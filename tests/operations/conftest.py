"""A store, a pack, a champion and a server for tests of the runtime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts import Action, InboxItem, InboxKind, Quality, Reading, ReleaseManifest, Task, from_ms, load_pack
from early_warning import AnomalyPolicy, WarningPolicy
from gpu import Session, open_session
from operations import RuntimeSettings
from store import Store
from tests.early_warning.worlds import MODEL, OTHER, PUMP, SPEC, START_MS, signature, write_forecaster, write_pack

from .served import Served, serve

POLICY = WarningPolicy(anomaly=AnomalyPolicy(tail_from=50))


@dataclass
class Site:
    """One installation.

    Attributes:
        store: open.
        settings: of its runtime.
        served: its serving process.
        session: its forecaster, open.
    """

    store: Store
    settings: RuntimeSettings
    served: Served
    session: Session

    def feed(self, items: list[InboxItem]) -> None:
        """Put readings and ticks into the inbox, as serving does."""
        for item in items:
            if item.kind is InboxKind.TICK:
                self.store.inbox.append_tick(item.time_ms)
            else:
                assert item.sign is not None
                quality = item.quality or Quality.GOOD
                told = Reading(sign=item.sign, time=from_ms(item.time_ms), value=item.value, quality=quality)
                self.store.inbox.append([told], item.received_ms)

    def items(self) -> list[InboxItem]:
        """Return everything in the inbox."""
        return self.store.inbox.read(0, 100_000)


def manifest(version: int = 1, *, name: str = MODEL, signs: tuple[str, ...] = (PUMP, OTHER)) -> ReleaseManifest:
    """Return the manifest of the forecaster."""
    return ReleaseManifest(
        name=name,
        version=version,
        task=Task.FORECAST,
        sha256=f"{version:064x}",
        size_bytes=1,
        signature=signature(),
        forecast=SPEC,
        created_at=from_ms(START_MS),
        signs=signs,
    )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = write_pack(tmp_path / "pack")
    pack = load_pack(folder)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    session = open_session(write_forecaster(tmp_path / "mean.onnx"))
    with Store.open(url, durable=False) as store, serve(Served({MODEL: (session, 1)}, key="secret-key")) as served:
        store.places.put(pack.places)
        store.signs.put(pack.signs)
        store.ledger.append(Action.PROMOTE, manifest(), "test")
        settings = RuntimeSettings.model_validate(
            {
                "store_url": url,
                "serving_url": served.url,
                "serving_key": "secret-key",
                "packs": [folder],
                "clock": "ticks",
                "holder": "test",
                "poll_s": 0.01,
                "patience_s": 5,
                "policy": POLICY,
            }
        )
        yield Site(store, settings, served, session)
