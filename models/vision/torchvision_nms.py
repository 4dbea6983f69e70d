"""Makes ``import torchvision`` work where its compiled operators do not fit the installed torch.

The wheel of torchvision on PyPI is built for CUDA; beside a CPU build of torch its library cannot be loaded and
the import itself fails with ``operator torchvision::nms does not exist``. Only non-maximum suppression is needed
here (ultralytics validates with it), so this module declares that operator in plain torch, before torchvision is
imported. Where the compiled library loads, nothing is changed. Every other compiled operator stays missing and
says so when it is called.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []


def suppress_overlaps(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Greedy non-maximum suppression in plain torch.

    Args:
        boxes: (box, 4) corners x1, y1, x2, y2.
        scores: (box,).
        iou_threshold: a box is dropped when its overlap with a better kept box is above this.

    Returns:
        Indices of kept boxes by falling score, (kept,) int64.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    ordered = boxes[order]
    areas = (ordered[:, 2] - ordered[:, 0]) * (ordered[:, 3] - ordered[:, 1])
    rest = torch.arange(len(order), device=boxes.device)
    kept = []
    while rest.numel():
        best, rest = rest[0], rest[1:]
        kept.append(best)
        low = torch.maximum(ordered[best, :2], ordered[rest, :2])
        high = torch.minimum(ordered[best, 2:], ordered[rest, 2:])
        overlap = (high - low).clamp(min=0).prod(dim=1)
        iou = overlap / (areas[best] + areas[rest] - overlap)
        rest = rest[~(iou > iou_threshold)]  # NaN (two empty boxes) overlaps nothing
    return order[torch.stack(kept)] if kept else order


def load_torchvision() -> bool:
    """Import torchvision, with its own operators or, where they do not fit this torch, with ours.

    Returns:
        Whether torchvision's own compiled operators are in use.
    """
    native = not _declared and _loads_native_operators()
    if not native and not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in _SCHEMAS:
            library.define(schema)
        library.impl("nms", suppress_overlaps, "CompositeExplicitAutograd")
        _declared.append(library)
    import torchvision  # lazy: its import fails before the operators above are declared

    if not native:
        torchvision.ops.nms = torchvision.ops.boxes.nms = torch.ops.torchvision.nms
    return native


def _loads_native_operators() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    libraries = sorted(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        return False
    return bool(libraries)
