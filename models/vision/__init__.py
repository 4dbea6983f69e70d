"""What a detector, segmenter or classifier is: declared parts around a network, merged into one ONNX graph.

``ultralytics_adapter`` is imported by name, in a process of its own: it loads torch and ultralytics.
"""

from __future__ import annotations

from .classifier import CLASSIFIER_KEY, ClassifierSpec, classifier_signature, export_classifier
from .declaration import DETECTOR_KEY, SIGNATURE, ChannelOrder, DetectorSpec, Head
from .detector import (
    Parts,
    build_parts,
    export_detector,
    load_graph,
    merge_parts,
    read_detector,
    split_parts,
)
from .segmenter import MASK_PX, SEGMENT_SIGNATURE, SEGMENTER_KEY, export_segmenter

__all__ = [
    "MASK_PX",
    "SEGMENT_SIGNATURE",
    "SEGMENTER_KEY",
    "export_segmenter",
    "CLASSIFIER_KEY",
    "ClassifierSpec",
    "classifier_signature",
    "export_classifier",
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
