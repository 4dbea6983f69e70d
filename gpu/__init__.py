"""Where and how fast an ONNX graph runs: sessions, devices, measuring.

The only room that imports onnxruntime. It knows graphs, not models: what a graph means stands in its metadata.
"""

from __future__ import annotations

from .devices import Device, available_threads, devices
from .latency import Latency, measure_latency
from .metadata import FORECAST_KEY, SIGNATURE_KEY
from .parts import Cut, cut_graph
from .session import Session, open_session

__all__ = [
    "FORECAST_KEY",
    "SIGNATURE_KEY",
    "Cut",
    "Device",
    "Latency",
    "Session",
    "available_threads",
    "cut_graph",
    "devices",
    "measure_latency",
    "open_session",
]
