"""Releases: an artefact by its sha256 with all that serving needs to trust and run it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .clock import UtcTime
from .forecasts import ForecastSpec
from .places import IDENTIFIER
from .tensors import NO_TENSORS, Signature

SHA256 = r"^[0-9a-f]{64}$"


class Task(StrEnum):
    """What a model does."""

    FORECAST = "forecast"
    DETECT = "detect"
    CLASSIFY = "classify"
    SEGMENT = "segment"
    RULES = "rules"
    """The veterans' rules of one pack: no graph, nothing that serving answers with."""


class GateResult(BaseModel):
    """One gate and the figures it used.

    Attributes:
        name: such as ``better_than_baselines``.
        passed: whether it let the version through.
        value: what was measured.
        limit: what was asked.
        detail: one sentence for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passed: bool
    value: float | None
    limit: float | None
    detail: str = ""


class ReleaseManifest(BaseModel):
    """All that serving needs to know of one released version.

    Attributes:
        name: registered name of the model.
        version: its version.
        task: what it does.
        sha256: of the ONNX file, or of the bundle of rules; also its address in the release store.
        size_bytes: of that file.
        signature: inputs and outputs; of rules :data:`NO_TENSORS`.
        forecast: for forecasters.
        golden_sha256: of the golden inputs and outputs (``.npz``) recorded at export; None if none were.
        gates: the verdict it was promoted on.
        run_id: the MLflow run that made it.
        created_at: when it was released.
        signs: signs that it forecasts.
        labels: class names, for vision.
        metadata: further facts, such as family and recipe.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=IDENTIFIER)
    version: int = Field(ge=1)
    task: Task
    sha256: str = Field(pattern=SHA256)
    size_bytes: int = Field(gt=0)
    signature: Signature
    forecast: ForecastSpec | None = None
    golden_sha256: str | None = Field(default=None, pattern=SHA256)
    gates: tuple[GateResult, ...] = ()
    run_id: str = ""
    created_at: UtcTime
    signs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_tensors(self) -> ReleaseManifest:
        if (self.task is Task.RULES) != (self.signature == NO_TENSORS):
            message = "a graph needs its tensors, and rules have none"
            raise ValueError(message)
        return self


class Action(StrEnum):
    """What a ledger entry did."""

    PROMOTE = "promote"
    OVERRIDE = "override"
    ROLLBACK = "rollback"


class LedgerEntry(BaseModel):
    """One line of the append-only ledger: who was made champion, when, by whom and why.

    Attributes:
        sequence: position in the ledger, from 1.
        time: when.
        action: what was done.
        manifest: the release that is champion from then on.
        actor: who did it.
        reason: why; required for an override.
        previous_hash: hash of the entry before it, of the whole ledger.
        hash: sha256 over this entry and the previous hash.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int = Field(ge=1)
    time: UtcTime
    action: Action
    manifest: ReleaseManifest
    actor: str
    reason: str = ""
    previous_hash: str
    hash: str


def resolve_forecasters(champions: Mapping[str, ReleaseManifest], assigned: Mapping[str, str]) -> dict[str, str]:
    """Return which champion forecasts which sign: the one rule for runtime, serving, batch scoring and tables.

    An assignment chooses; while its model has no champion that forecasts, nobody forecasts the sign. Without one, a
    sign goes to the champion that names it, if there is only one.

    Args:
        champions: name → release of every champion.
        assigned: sign → name of a model, as people or promotions chose.

    Returns:
        Sign → name of a champion, by sign.
    """
    forecasters = {name: manifest for name, manifest in champions.items() if manifest.forecast is not None}
    naming: dict[str, list[str]] = {}
    for name, manifest in forecasters.items():
        for sign in manifest.signs:
            naming.setdefault(sign, []).append(name)
    found = {sign: names[0] for sign, names in naming.items() if len(names) == 1}
    found |= assigned
    return {sign: name for sign, name in sorted(found.items()) if name in forecasters}
