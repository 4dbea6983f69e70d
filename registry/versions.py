"""Versions: what stands in the registry, and in which state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from contracts import ForecastSpec, GateResult, LedgerEntry, ReleaseManifest, Signature, Task


def gates_passed(gates: Sequence[GateResult]) -> bool:
    """Return whether a version was judged and passed every gate."""
    return bool(gates) and all(gate.passed for gate in gates)


class VersionStatus(StrEnum):
    """Where a version stands. The ledger decides on champions, the gates on the rest."""

    CANDIDATE = "candidate"
    """It passed its gates and may be promoted."""
    REJECTED = "rejected"
    """It failed a gate; promoting it needs an override with a reason."""
    CHAMPION = "champion"
    """It answers."""
    PREVIOUS = "previous"
    """A rollback brings it back."""


class ManifestDraft(BaseModel):
    """What the maker of a version says of it; the rest of the manifest the registry finds out itself.

    Attributes:
        task: what it does.
        signature: inputs and outputs; None takes what the graph declares. Given, it must be the same.
        forecast: for forecasters; None takes what the graph declares. Given, it must be the same.
        signs: signs that it forecasts.
        labels: class names, for vision.
        metadata: further facts, such as family and recipe.
        metrics: figures shown beside the version in tables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task
    signature: Signature | None = None
    forecast: ForecastSpec | None = None
    signs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version.

    Attributes:
        name: of the model.
        version: its number, from 1.
        status: where it stands now.
        sha256: of its ONNX file.
        run_id: the run that made it.
        created_at: when it was registered.
        gates: the verdict.
        metrics: figures shown beside it.
        fingerprint: sha256 of data, recipe and code; empty when none was given.
        url: its page in MLflow's interface.
    """

    name: str
    version: int
    status: VersionStatus
    sha256: str
    run_id: str
    created_at: datetime
    gates: tuple[GateResult, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    fingerprint: str = ""
    url: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was judged and passed every gate."""
        return gates_passed(self.gates)


@dataclass(frozen=True, slots=True)
class Model:
    """One registered model.

    Attributes:
        name: its name.
        champion: the version that answers; None before the first promotion.
        champion_since: when it was promoted.
        latest: number of its newest version.
        updated_at: when it last changed.
        url: its page in MLflow's interface.
    """

    name: str
    champion: int | None
    champion_since: datetime | None
    latest: int
    updated_at: datetime
    url: str = ""


@dataclass(frozen=True, slots=True)
class VersionCard:
    """The lineage of one version: data and commit, run, release, and its entries in the ledger.

    Attributes:
        version: the version.
        manifest: its release.
        parameters: of its run.
        metrics: last value of each metric of its run.
        tags: of its run, MLflow's own left out.
        commit: git commit it was made at; empty where there was no repository.
        datasets: name, context and sha256 of the data it was made from.
        history: its entries in the ledger, oldest first.
        run_url: the run's page in MLflow's interface.
    """

    version: Version
    manifest: ReleaseManifest
    parameters: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    datasets: tuple[dict[str, Any], ...]
    history: tuple[LedgerEntry, ...]
    commit: str = ""
    run_url: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """A champion in MLflow that is not the ledger's.

    Attributes:
        name: of the model.
        expected: version that the ledger names; None where it names none.
        found: version that the alias named; None where there was none.
        repaired: whether the alias was put right.
        detail: one sentence for people.
    """

    name: str
    expected: int | None
    found: int | None
    repaired: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One property of several versions.

    Attributes:
        kind: ``status``, ``gate``, ``metric`` or ``parameter``.
        key: its name.
        values: one for each version, in the order asked; None where a version has none.
    """

    kind: str
    key: str
    values: tuple[str | float | None, ...]

    @property
    def differs(self) -> bool:
        """Whether the versions differ in it."""
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Versions of one model, side by side.

    Attributes:
        name: of the model.
        versions: the versions, in the order asked.
        rows: status, gates, metrics and parameters, each sorted by name.
    """

    name: str
    versions: tuple[Version, ...]
    rows: tuple[ComparisonRow, ...]
