"""The inference engine: released versions, opened, proven, run and swapped. It knows no server framework."""

from __future__ import annotations

from .batcher import Batcher, Priority
from .engine import DEFAULT_URGENCY, Gone, InferenceEngine, Result, Urgency
from .parts import CORE, POST, PRE, Part
from .pipeline import REQUEST, Pipeline, Stage
from .release import ServedModel, open_release
from .repository import ModelRepository, Slot
from .trials import Trial, relative_difference
from .usage import Tally, Usage
from .workers import WorkerPool

__all__ = [
    "CORE",
    "DEFAULT_URGENCY",
    "POST",
    "PRE",
    "REQUEST",
    "Batcher",
    "Gone",
    "InferenceEngine",
    "ModelRepository",
    "Part",
    "Pipeline",
    "Priority",
    "Result",
    "ServedModel",
    "Slot",
    "Stage",
    "Tally",
    "Trial",
    "Urgency",
    "Usage",
    "WorkerPool",
    "open_release",
    "relative_difference",
]
