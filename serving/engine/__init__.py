"""The inference engine: released versions, opened, proven, run and swapped. It knows no server framework."""

from __future__ import annotations

from .batcher import Batcher, Priority
from .engine import DEFAULT_URGENCY, Gone, InferenceEngine, Result, Urgency
from .release import ServedModel, open_release
from .repository import ModelRepository, Slot

__all__ = [
    "DEFAULT_URGENCY",
    "Batcher",
    "Gone",
    "InferenceEngine",
    "ModelRepository",
    "Priority",
    "Result",
    "ServedModel",
    "Slot",
    "Urgency",
    "open_release",
]
