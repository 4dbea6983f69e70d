"""The inference engine: released versions, opened, proven, run and swapped. It knows no server framework."""

from __future__ import annotations

from .engine import InferenceEngine, Result
from .release import ServedModel, open_release
from .repository import ModelRepository, Slot

__all__ = ["InferenceEngine", "ModelRepository", "Result", "ServedModel", "Slot", "open_release"]
