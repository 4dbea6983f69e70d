from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts import (
    Action,
    ArtefactError,
    ConfigurationError,
    ForecastSpec,
    PromotionError,
    Task,
)
from registry import ManifestDraft, VersionStatus
from tests.gpu.graphs import FORECAST, SIGNATURE, declared_forecaster, linear_forecaster

from .conftest import FAILED, PASSED, Workbench

DRAFT = ManifestDraft(task=Task.FORECAST)


def status_of(bench: Workbench, name: str = "flow.ridge") -> dict[int, str]:
    return {version.version: str(version.status) for version in bench.registry.versions(name)}


def test_a_version_carries_its_figures_and_its_release(bench: Workbench) -> None:
    golden = bench.folder / "golden.npz"
    arrays: dict[str, Any] = {"inputs/context": np.zeros((1, 4), np.float32)}
    np.savez(golden, **arrays)
    onnx = bench.folder / "model.onnx"
    onnx.write_bytes(declared_forecaster())
    draft = ManifestDraft(
        task=Task.FORECAST, signs=("flow",), metrics={"mae": 0.24}, metadata={"recipe": {"horizon": 2}}
    )
    with bench.registry.run("water", "ridge", parameters={"penalty": 1}) as run:
        run.log_dataset("flow", "d" * 64, rows=100)
        version = bench.registry.register("flow.ridge", onnx, draft, PASSED, run, golden=golden, fingerprint="f" * 64)
    assert (version.version, version.status, version.metrics) == (1, VersionStatus.CANDIDATE, {"mae": 0.24})
    assert version.sha256 == hashlib.sha256(onnx.read_bytes()).hexdigest()
    card = bench.registry.show("flow.ridge")
    assert card.version == version
    assert card.manifest.signature == SIGNATURE
    assert card.manifest.forecast == FORECAST
    assert card.manifest.gates == PASSED
    assert card.manifest.run_id == run.id == version.run_id
    assert card.manifest.metadata == {"recipe": {"horizon": 2}}
    assert card.manifest.golden_sha256 == hashlib.sha256(golden.read_bytes()).hexdigest()
    assert card.parameters == {"penalty": "1"}
    assert card.datasets == ({"name": "flow", "context": "train", "rows": 100, "sha256": "d" * 64},)
    kept = bench.releases.golden(card.manifest)
    assert kept is not None
    assert kept["inputs/context"].shape == (1, 4)


def test_the_lineage_leads_from_data_to_the_ledger(bench: Workbench) -> None:
    version = bench.register(fingerprint="f" * 64)
    entry = bench.registry.promote("flow.ridge", 1, "li.na", reason="better at night")
    card = bench.registry.show("flow.ridge", 1)
    assert [one.sequence for one in card.history] == [entry.sequence]
    assert card.history[0].manifest == card.manifest
    assert card.run_url.endswith(f"/runs/{version.run_id}")
    assert card.version.url == "#/models/flow.ridge/versions/1"


def test_a_promotion_stands_in_ledger_audit_and_alias(bench: Workbench) -> None:
    bench.register()
    entry = bench.registry.promote("flow.ridge", 1, "li.na", reason="first")
    assert (entry.action, entry.actor, entry.reason) == (Action.PROMOTE, "li.na", "first")
    assert bench.store.ledger.champion("flow.ridge") == entry == bench.registry.champion("flow.ridge")
    assert bench.alias() == 1
    audit = bench.store.audit.entries()[-1]
    assert (audit.actor, audit.action, audit.subject) == ("li.na", "model.promote", "flow.ridge")
    assert audit.detail["ledger"] == entry.sequence
    assert status_of(bench) == {1: "champion"}


def test_promoting_the_champion_again_changes_nothing(bench: Workbench) -> None:
    bench.register()
    first = bench.registry.promote("flow.ridge", 1, "li.na")
    assert bench.registry.promote("flow.ridge", 1, "zhang.wei") == first
    assert len(bench.store.ledger.entries()) == 1


def test_a_rejected_version_names_its_failed_gates(bench: Workbench) -> None:
    version = bench.register(gates=FAILED)
    assert version.status is VersionStatus.REJECTED
    with pytest.raises(
        PromotionError, match=r"failed latency \(40 p95 of one request .*; at most 20 asked\.\).*override"
    ):
        bench.registry.promote("flow.ridge", 1, "li.na")
    with pytest.raises(PromotionError, match="may not be promoted"):
        bench.registry.promote("flow.ridge", 1, "li.na", override="   ")
    assert bench.store.ledger.entries() == []
    assert bench.alias() is None


def test_an_override_is_recorded_with_its_reason(bench: Workbench) -> None:
    bench.register(gates=FAILED)
    entry = bench.registry.promote("flow.ridge", 1, "li.na", override="the old one is broken")
    assert (entry.action, entry.reason) == (Action.OVERRIDE, "the old one is broken")
    audit = bench.store.audit.entries()[-1]
    assert audit.action == "model.override"
    assert audit.detail["failed"] == ["latency"]
    assert audit.detail["reason"] == "the old one is broken"
    assert bench.store.audit.verify() is None
    assert bench.store.ledger.verify() is None


def test_a_version_without_any_gate_is_rejected(bench: Workbench) -> None:
    assert bench.register(gates=()).status is VersionStatus.REJECTED
    with pytest.raises(PromotionError, match="was not judged by any gate"):
        bench.registry.promote("flow.ridge", 1, "li.na")


def test_marks_edited_in_mlflow_promote_nothing(bench: Workbench) -> None:
    good, bad = bench.register(), bench.register(gates=FAILED)
    bench.client.set_model_version_tag("flow.ridge", "2", "cityforge.gates", "[]")
    with pytest.raises(PromotionError, match="failed latency"):
        bench.registry.promote("flow.ridge", 2, "intruder")
    bench.client.set_model_version_tag("flow.ridge", "2", "cityforge.sha256", good.sha256)
    assert good.sha256 != bad.sha256
    with pytest.raises(ArtefactError, match=r"flow\.ridge@2\.json"):
        bench.registry.promote("flow.ridge", 2, "intruder")


def test_a_damaged_or_missing_release_is_not_promoted(bench: Workbench) -> None:
    version = bench.register()
    file = bench.releases.path(version.sha256)
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtefactError, match="is damaged"):
        bench.registry.promote("flow.ridge", 1, "li.na")
    shutil.rmtree(file.parent)
    with pytest.raises(ArtefactError, match="has no file"):
        bench.registry.promote("flow.ridge", 1, "li.na")
    assert bench.store.ledger.entries() == []


def test_rollbacks_go_back_step_by_step(bench: Workbench) -> None:
    for number in (1, 2, 3):
        bench.register()
        bench.registry.promote("flow.ridge", number, "li.na")
    assert status_of(bench) == {3: "champion", 2: "previous", 1: "candidate"}
    assert bench.registry.rollback("flow.ridge", "li.na", "noisy").manifest.version == 2
    assert status_of(bench) == {3: "candidate", 2: "champion", 1: "previous"}
    assert bench.registry.rollback("flow.ridge", "li.na", "noisy too").manifest.version == 1
    assert bench.alias() == 1
    with pytest.raises(PromotionError, match="no earlier champion"):
        bench.registry.rollback("flow.ridge", "li.na", "and again")
    assert bench.store.audit.entries()[-1].action == "model.rollback"


def test_nobody_knows_a_model_that_is_not_registered(bench: Workbench) -> None:
    bench.register()
    for call in (
        lambda: bench.registry.versions("other"),
        lambda: bench.registry.promote("other", 1, "li.na"),
        lambda: bench.registry.show("other"),
    ):
        with pytest.raises(PromotionError, match=r"No version of 'other' is registered. Known models: flow\.ridge"):
            call()
    with pytest.raises(PromotionError, match=r"no version 9. Its newest versions are 1"):
        bench.registry.version("flow.ridge", 9)
    with pytest.raises(PromotionError, match="no earlier champion"):
        bench.registry.rollback("other", "li.na", "x")
    assert bench.registry.champion("other") is None


def test_names_that_lead_elsewhere_never_reach_mlflow(bench: Workbench) -> None:
    onnx = bench.folder / "model.onnx"
    onnx.write_bytes(declared_forecaster())
    with bench.registry.run("water", "x", parameters={}) as run:
        for name in ("../flow", "flow/ridge", "..", "flow'--", "flow\n"):
            with pytest.raises(ConfigurationError, match="no valid model name"):
                bench.registry.register(name, onnx, DRAFT, PASSED, run)
        with pytest.raises(ConfigurationError, match="is a sha256"):
            bench.registry.register("flow", onnx, DRAFT, PASSED, run, fingerprint="' OR 1=1")
    assert bench.registry.models() == []


@pytest.mark.parametrize("content", [b"", b"no onnx", declared_forecaster()[:100]])
def test_a_corrupt_graph_is_not_registered(bench: Workbench, content: bytes) -> None:
    onnx = bench.folder / "model.onnx"
    onnx.write_bytes(content)
    with bench.registry.run("water", "x", parameters={}) as run, pytest.raises(ArtefactError, match=r"model\.onnx"):
        bench.registry.register("flow", onnx, DRAFT, PASSED, run)
    assert bench.registry.models() == []
    assert not (bench.folder / "releases").exists()


def test_a_draft_must_agree_with_its_graph(bench: Workbench) -> None:
    onnx = bench.folder / "model.onnx"
    onnx.write_bytes(declared_forecaster())
    other = ForecastSpec(context=9, horizon=2, interval_s=60, quantiles=(0.5,))
    with bench.registry.run("water", "x", parameters={}) as run:
        with pytest.raises(ArtefactError, match=r"The forecast spec given .* the graph declares"):
            bench.registry.register("flow", onnx, DRAFT.model_copy(update={"forecast": other}), PASSED, run)
        onnx.write_bytes(linear_forecaster())
        with pytest.raises(ArtefactError, match="neither it nor its draft says how"):
            bench.registry.register("flow", onnx, DRAFT, PASSED, run)
        told = DRAFT.model_copy(update={"forecast": FORECAST})
        assert bench.registry.register("flow", onnx, told, PASSED, run).version == 1


def test_a_finished_version_is_found_by_its_fingerprint(bench: Workbench) -> None:
    bench.register(fingerprint="a" * 64)
    newest = bench.register(fingerprint="a" * 64)
    other = bench.register("flow.dlinear", FAILED, fingerprint="a" * 64)
    assert bench.registry.find("a" * 64, "flow.ridge") == newest
    assert bench.registry.find("a" * 64) == other  # rejected is finished too
    assert bench.registry.find("b" * 64) is None
    bench.releases.path(newest.sha256).unlink()
    found = bench.registry.find("a" * 64, "flow.ridge")
    assert found is not None
    assert found.version == 1  # the newest lost its file


def test_a_version_whose_release_could_not_be_written_was_never_finished(bench: Workbench) -> None:
    bench.register(fingerprint="a" * 64)
    (bench.folder / "away").mkdir()
    (bench.folder / "releases").rename(bench.folder / "away" / "releases")
    (bench.folder / "releases").write_text("a file where the folder should be")
    with pytest.raises(ArtefactError, match="cannot be written"):
        bench.register(fingerprint="b" * 64)
    (bench.folder / "releases").unlink()
    (bench.folder / "away" / "releases").rename(bench.folder / "releases")
    assert bench.registry.find("b" * 64) is None
    assert status_of(bench) == {1: "candidate"}
    assert [model.latest for model in bench.registry.models()] == [1]
    with pytest.raises(PromotionError, match="has no version 2"):
        bench.registry.promote("flow.ridge", 2, "li.na")
    assert bench.register(fingerprint="b" * 64).version == 3


def test_models_show_their_champion(bench: Workbench) -> None:
    for name in ("flow.ridge", "flow.ridge", "flow.dlinear"):
        bench.register(name)
    entry = bench.registry.promote("flow.ridge", 1, "li.na")
    dlinear, ridge = bench.registry.models()
    assert (dlinear.name, dlinear.champion, dlinear.latest) == ("flow.dlinear", None, 1)
    assert (ridge.name, ridge.champion, ridge.latest) == ("flow.ridge", 1, 2)
    assert ridge.champion_since == ridge.updated_at == entry.time


def test_who_answered_at_a_time_is_known(make_workbench: Callable[[], Workbench]) -> None:
    bench = make_workbench()
    for number in (1, 2):
        bench.register()
        bench.registry.promote("flow.ridge", number, "li.na")
    first, second = bench.store.ledger.entries("flow.ridge")
    assert bench.registry.champion("flow.ridge", first.time - timedelta(milliseconds=1)) is None
    at_second = bench.registry.champion("flow.ridge", second.time + timedelta(days=1))
    assert at_second is not None
    assert at_second.manifest.version == 2
    if first.time < second.time:
        assert bench.registry.champion("flow.ridge", first.time) == first


def test_versions_stand_side_by_side(bench: Workbench) -> None:
    bench.register()
    bench.register(gates=FAILED)
    table = bench.registry.compare("flow.ridge", [1, 2])
    rows = {(row.kind, row.key): row for row in table.rows}
    assert [version.version for version in table.versions] == [1, 2]
    assert rows["status", "status"].values == ("candidate", "rejected")
    assert rows["parameter", "seed"].values == ("1", "2")
    assert rows["gate", "latency"].values[0] is None
    assert str(rows["gate", "latency"].values[1]).startswith("failed: 40")
    assert rows["gate", "latency"].differs
    assert not rows["gate", "parity"].differs
    with pytest.raises(PromotionError, match="no version 3"):
        bench.registry.compare("flow.ridge", [1, 3])


def test_registering_copies_no_golden_that_is_no_archive(bench: Workbench) -> None:
    onnx, golden = bench.folder / "model.onnx", Path(bench.folder, "golden.npz")
    onnx.write_bytes(declared_forecaster())
    golden.write_bytes(b"no archive")
    with (
        bench.registry.run("water", "x", parameters={}) as run,
        pytest.raises(ArtefactError, match=r"no readable \.npz"),
    ):
        bench.registry.register("flow", onnx, DRAFT, PASSED, run, golden=golden)
