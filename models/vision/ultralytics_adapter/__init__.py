"""The one place that imports ultralytics: fitting a network and taking it out as ONNX.

Offline and reproducible: nothing is fetched unless the environment says ``YOLO_OFFLINE=false``, no account is asked
for, and ultralytics' own tracking is off, for it names experiments after paths and takes over the whole process.
Meant to be called in a process of its own; :func:`prepare` comes first.
"""

from __future__ import annotations

from .export import convert_core, export_core, run_network
from .fitting import EpochReport, FitSettings, fit
from .networks import NetworkTask, build_network
from .preparation import prepare

__all__ = [
    "EpochReport",
    "FitSettings",
    "NetworkTask",
    "build_network",
    "convert_core",
    "export_core",
    "fit",
    "prepare",
    "run_network",
]
