"""What a detector is: three declared parts around a network, merged into one ONNX graph.

``ultralytics_adapter`` is imported by name, in a process of its own: it loads torch and ultralytics.
"""

from __future__ import annotations

from .detector import (
    DETECTOR_KEY,
    SIGNATURE,
    ChannelOrder,
    DetectorSpec,
    Head,
    Parts,
    build_parts,
    export_detector,
    load_graph,
    merge_parts,
    read_detector,
    split_parts,
)

__all__ = [
    "DETECTOR_KEY",
    "SIGNATURE",
    "ChannelOrder",
    "DetectorSpec",
    "Head",
    "Parts",
    "build_parts",
    "export_detector",
    "load_graph",
    "merge_parts",
    "read_detector",
    "split_parts",
]
