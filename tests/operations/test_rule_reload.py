"""Promoted rules come into force at the next instant; no timer starts again, and broken ones change nothing."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts import (
    NO_TENSORS,
    Action,
    ConfigurationError,
    Episode,
    PlaceTree,
    ReleaseManifest,
    SignCatalogue,
    Status,
    Task,
    load_pack,
)
from knowledge_graph import RuleBundle
from operations import RuntimeSettings, compile_packs, configure, released_rules, runtime_status
from store import EpisodeFilter, ReleaseStore, Store
from tests.early_warning.worlds import PUMP, START_MS, stream

from .conftest import Site
from .conftest import manifest as site_manifest
from .test_runtime import caught_up, running, wait_until

LAW = "pump.supply_loss.dry_main"
HOUR_MS = 3_600_000
FIRST = '"<": 5 l/s, for: 6h'


@pytest.fixture
def releases(site: Site, tmp_path: Path) -> str:
    return str(tmp_path / "releases")


@pytest.fixture
def settings(site: Site, releases: str) -> RuntimeSettings:
    return site.settings.model_copy(update={"releases_url": releases})


def bundle(site: Site, condition: str = FIRST, *, risk: str = "pump.supply_loss") -> bytes:
    pack = load_pack(site.settings.packs[0])
    text = (pack.rules / "supply.yaml").read_text(encoding="utf-8")
    changed = text.replace('"<": 5 l/s', condition).replace("id: pump.supply_loss", f"id: {risk}")
    found = RuleBundle.of_folder(pack.header.id, pack.rules, pack.procedures, pack.header.timezone)
    return found.model_copy(update={"rules": {"supply.yaml": changed}}).to_bytes()


def promote(store: Store, releases: str, content: bytes, version: int) -> None:
    manifest = ReleaseManifest(
        name="test.pump.rules",
        version=version,
        task=Task.RULES,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        signature=NO_TENSORS,
        created_at=datetime.now(UTC),
        metadata={"pack": "test.pump"},
    )
    ReleaseStore(releases).put(content, manifest)
    store.ledger.append(Action.PROMOTE, manifest, "li", "test")


def laws(store: Store) -> list[Episode]:
    return [one for one in store.episodes.find(EpisodeFilter(limit=1000)) if one.risk.endswith("dry_main")]


def decided(store: Store, hour: int) -> bool:
    status = runtime_status(store)
    return (
        status is not None
        and status.decided_at is not None
        and status.decided_at.timestamp() * 1000 >= (START_MS + hour * HOUR_MS)
    )


def test_a_timer_runs_on_through_a_promotion_and_a_rollback(
    site: Site, settings: RuntimeSettings, releases: str
) -> None:
    first, second = bundle(site), bundle(site, '"<": 5 l/s, for: 5h')
    promote(site.store, releases, first, 1)
    items = stream([100.0] * 4 + [2.0] * 12)
    with running(settings) as raised:
        site.feed(items[:16])  # dry since hour 4; hour 7 is the last told
        wait_until(lambda: decided(site.store, 7), raised)
        promote(site.store, releases, second, 2)
        site.feed(items[16:])
        wait_until(lambda: caught_up(site.store), raised)
    (fired,) = laws(site.store)
    assert fired.opened_at.timestamp() * 1000 == START_MS + 9 * HOUR_MS  # five hours after hour 4, not after the reload


def test_broken_rules_change_nothing_and_are_told(site: Site, settings: RuntimeSettings, releases: str) -> None:
    promote(site.store, releases, bundle(site), 1)
    items = stream([100.0] * 4 + [2.0] * 12)
    with running(settings) as raised:
        site.feed(items[:16])
        wait_until(lambda: decided(site.store, 7), raised)
        promote(site.store, releases, bundle(site, '"<": 5 furlongs'), 2)
        site.feed(items[16:20])
        wait_until(lambda: decided(site.store, 9), raised)
        site.store.ledger.append(Action.PROMOTE, site_manifest(2), "test")  # a model: everything is configured anew
        site.feed(items[20:])
        wait_until(lambda: caught_up(site.store), raised)
    (fired,) = laws(site.store)
    assert fired.opened_at.timestamp() * 1000 == START_MS + 10 * HOUR_MS
    status = runtime_status(site.store)
    assert status is not None
    assert status.refused_rules is not None
    assert "furlongs" in status.refused_rules


def test_a_warning_that_no_rule_is_about_any_more_is_closed(
    site: Site, settings: RuntimeSettings, releases: str
) -> None:
    promote(site.store, releases, bundle(site, '"<": 5 l/s'), 1)
    items = stream([100.0] * 4 + [2.0] * 8)
    with running(settings) as raised:
        site.feed(items[:16])
        wait_until(lambda: bool(laws(site.store)) and decided(site.store, 7), raised)
        promote(site.store, releases, bundle(site, '"<": 5 l/s', risk="pump.other"), 2)
        site.feed(items[16:])
        wait_until(lambda: caught_up(site.store), raised)
    by_risk = {one.risk: one for one in laws(site.store)}
    assert by_risk[LAW].status is Status.CLOSED
    assert "rules in force say nothing" in by_risk[LAW].history[-1].note
    assert by_risk["pump.other.dry_main"].status is Status.OPEN


def test_promoted_rules_need_the_releases_address(site: Site, releases: str) -> None:
    assert released_rules(site.store, None) == {}
    promote(site.store, releases, bundle(site), 1)
    with pytest.raises(ConfigurationError, match="releases_url"):
        released_rules(site.store, None)
    released = released_rules(site.store, releases)
    signs, places = SignCatalogue(site.store.signs.all()), PlaceTree(site.store.places.all())
    compiled = compile_packs(site.settings.packs, signs, places, released)
    rules = configure(site.store, site.settings.packs, rules=compiled).rules["test.pump"]
    assert rules.templates["pump.supply_loss"].rule.conditions["dry"].hold_ms == 6 * HOUR_MS
    assert site.store.ledger.champions().keys() == {"pumps"}
    assert site.store.ledger.rule_sets().keys() == {"test.pump.rules"}
    assert PUMP in {sign.id for sign in site.store.signs.all()}
