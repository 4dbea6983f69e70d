"""What is trusted: tracked runs, gates, versions, promotion, release and rollback.

The only room that imports mlflow, and only at its first use.
"""

from __future__ import annotations

from .export import ExportedModel, export_repository, triton_config
from .gates import GateEvidence, GateLimits, at_least, at_most, judge, relative_error
from .registry import Registry
from .runs import Run
from .trials import TrialRecord
from .versions import Comparison, ComparisonRow, Drift, ManifestDraft, Model, Version, VersionCard, VersionStatus

__all__ = [
    "Comparison",
    "ComparisonRow",
    "Drift",
    "ExportedModel",
    "GateEvidence",
    "GateLimits",
    "ManifestDraft",
    "Model",
    "Registry",
    "Run",
    "TrialRecord",
    "Version",
    "VersionCard",
    "VersionStatus",
    "at_least",
    "at_most",
    "export_repository",
    "judge",
    "relative_error",
    "triton_config",
]
