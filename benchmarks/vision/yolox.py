"""A detector trained elsewhere: YOLOX-Nano, imported by its declaration, judged as released on ``coco_val128``."""

from __future__ import annotations

from gpu import open_session
from models.vision import ChannelOrder, DetectorSpec, Head
from store import ReleaseStore
from training.vision import GatesSection, Split, evaluate, import_detector, read_pictures

from .part import Figures, Options, open_registry, progress, say

KEYS = ("yolox_served_map",)
NAME = "street.coco"


def measure(options: Options) -> Figures:
    """Import, promote, and judge what a server would load."""
    core, folder = options.need("weights", "yolox_nano_coco.onnx"), options.need("coco_val128")
    data = read_pictures(folder)
    spec = DetectorSpec(
        family="yolox_nano",
        labels=data.labels,
        size_px=416,
        head=Head.YOLOX,
        channel_order=ChannelOrder.BGR,
        scale=1,
        centred=False,
        iou_threshold=0.65,
    )
    gates = GatesSection(map50=0.4, latency_p95_ms=1000)
    home = options.scratch / "yolox"
    with open_registry(home) as registry:
        result = import_detector(NAME, spec, core, folder, registry, gates=gates, progress=progress("yolox"))
        entry = registry.promote(NAME, result.version, "benchmark", reason="gates passed")
        session = open_session(ReleaseStore(home / "releases").path(entry.manifest.sha256))
        accuracy = evaluate(session, data)[Split.VALIDATION, ""].accuracy
    say(f"yolox: mAP50-95 {accuracy.map50_95:.4f}, mAP50 {accuracy.map50:.4f}")
    return {"yolox_served_map": accuracy.map50_95}
