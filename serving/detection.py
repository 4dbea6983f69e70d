"""From pictures to boxes: decoded, asked of a detector, and told in words of the picture. Knows no protocol."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts import Array, DataError, FactoryError, Task

from .engine import (
    CORE,
    DEFAULT_URGENCY,
    POST,
    PRE,
    REQUEST,
    Gone,
    InferenceEngine,
    Pipeline,
    ServedModel,
    Stage,
    Urgency,
)
from .errors import NotFoundError

if TYPE_CHECKING:
    from .pictures import Upload
    from .platform import Platform

IMAGE, GEOMETRY = "image", "geometry"
PICTURES_AT_ONCE = 8
"""Of one request: the others wait, so that a large form does not use up what all requests share."""


@dataclass(frozen=True, slots=True)
class DetectQuestion:
    """What is asked of every picture of a request.

    Attributes:
        model: of the detector; None where only one is served.
        version: one that is open; None for the champion.
        threshold: boxes with a lower score are left out.
        limit: most boxes of one picture, the best first.
        urgency: how urgent the request is.
    """

    model: str | None = None
    version: str | None = None
    threshold: float = 0.25
    limit: int = 300
    urgency: Urgency = DEFAULT_URGENCY


def choose_detector(platform: Platform, question: DetectQuestion) -> ServedModel:
    """Return the detector that is asked.

    Raises:
        NotFoundError: if it is not served, none is, or more than one is and none was named.
        DataError: if the model is no detector.
        OverloadedError: if it is not ready.
    """
    models = platform.engine.models
    if question.model is not None:
        found = models.find(question.model, question.version)
        if found.manifest.task is not Task.DETECT:
            message = f"The model {found.name!r} does not detect: its task is {found.manifest.task.value!r}."
            raise DataError(message)
        return found
    names = [
        name
        for name, slot in models
        if slot.champion is not None and slot.champion.manifest.task is Task.DETECT and not slot.unloaded
    ]
    if len(names) != 1:
        served = ", ".join(names) or "none"
        message = f"Name the detector with ?model=NAME. Detectors served here: {served}."
        raise NotFoundError(message)
    return models.find(names[0], question.version)


async def detect(
    platform: Platform, question: DetectQuestion, uploads: Sequence[Upload], gone: Gone | None = None
) -> tuple[ServedModel, list[dict[str, Any] | FactoryError]]:
    """Find things in pictures.

    Args:
        platform: whose detectors are asked.
        question: what is asked.
        uploads: the pictures.
        gone: returns once the client has left.

    Returns:
        The version that was asked, and for each picture what was found or why it could not be looked at.

    Raises:
        FactoryError: if no picture could be looked at for the same reason, such as a model that is not served.
    """
    model = choose_detector(platform, question)
    turns = asyncio.Semaphore(PICTURES_AT_ONCE)

    async def look(upload: Upload) -> dict[str, Any]:
        async with turns:
            return await _look(platform, question, model, upload, gone)

    answers = await asyncio.gather(*map(look, uploads), return_exceptions=True)
    told: list[dict[str, Any] | FactoryError] = []
    for each in answers:
        if isinstance(each, BaseException) and not isinstance(each, FactoryError):
            raise each
        told.append(each)
    return model, told


async def _look(
    platform: Platform, question: DetectQuestion, model: ServedModel, upload: Upload, gone: Gone | None
) -> dict[str, Any]:
    counts = platform.metrics.of_model(model.name)
    started = time.perf_counter()
    try:
        header = upload.header()
        with platform.pixels.hold(header.width_px * header.height_px):
            looked = _Looked(upload)
            outputs = await platform.engine.run(
                _pipeline(platform.engine, model), looked, urgency=question.urgency, gone=gone
            )
    except FactoryError:
        counts.failed.inc()
        raise
    counts.answered.inc()
    counts.seconds.observe(time.perf_counter() - started)
    detections = describe_boxes(outputs, model.manifest.labels, question)
    return {"width": looked.width_px, "height": looked.height_px, "detections": detections}


@dataclass(slots=True)
class _Looked:
    """One picture on its way through the stages.

    Attributes:
        upload: as it came.
        width_px: as it is shown.
        height_px: as it is shown.
        geometry: how its pixels became those of the network's square.
    """

    upload: Upload
    width_px: int = 0
    height_px: int = 0
    geometry: Array | None = None

    def decode(self) -> dict[str, Array]:
        """Return the picture as the graph's input."""
        pixels = self.upload.decode()
        self.height_px, self.width_px = pixels.shape[:2]
        return {IMAGE: pixels}


def _pipeline(engine: InferenceEngine, model: ServedModel) -> Pipeline:
    """Return the stages from a picture's bytes to its boxes.

    Decoding and resizing share a thread; the network runs several pictures at once, whatever sizes they had.
    """
    if not model.parts:
        stages = [Stage("decode", _Looked.decode), Stage("whole", model.run, ("decode",))]
        return Pipeline(model.name, stages, engine.workers)
    pre, post = model.parts[PRE], model.parts[POST]

    def prepare(looked: _Looked) -> dict[str, Array]:
        prepared = pre.run(looked.decode())
        looked.geometry = prepared.pop(GEOMETRY)
        return prepared

    def finish(raw: dict[str, Array], looked: _Looked) -> dict[str, Array]:
        assert looked.geometry is not None  # noqa: S101 - the first stage has run
        return post.run({**raw, GEOMETRY: looked.geometry})

    stages = [
        Stage("prepare", prepare),
        Stage("core", engine.queue(model.parts[CORE]), ("prepare",)),
        Stage("finish", finish, ("core", REQUEST)),
    ]
    return Pipeline(model.name, stages, engine.workers)


def describe_boxes(
    outputs: Mapping[str, Array], labels: Sequence[str], question: DetectQuestion
) -> list[dict[str, Any]]:
    """Return boxes as plain data, best first; the same fields as :class:`contracts.Detection`."""
    scores = outputs["scores"]  # (box,), best first
    kept = np.flatnonzero(scores >= question.threshold)[: question.limit]
    return [
        {"label": labels[index], "score": score, "box_xyxy_px": box}
        for index, score, box in zip(
            outputs["classes"][kept].tolist(), scores[kept].tolist(), outputs["boxes"][kept].tolist(), strict=True
        )
    ]
