"""From pictures to boxes: decoded, asked of a detector, and told in words of the picture. Knows no protocol."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts import DataError, FactoryError, Task

from .engine import DEFAULT_URGENCY, Gone, Result, ServedModel, Urgency
from .errors import DeadlineError, NotFoundError

if TYPE_CHECKING:
    from .pictures import Upload
    from .platform import Platform

IMAGE = "image"


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
    asked = replace(question, model=model.name, version=str(model.version))
    deadline = time.monotonic() + question.urgency.timeout_s
    answers = await asyncio.gather(
        *(_look(platform, asked, upload, deadline, gone) for upload in uploads), return_exceptions=True
    )
    told: list[dict[str, Any] | FactoryError] = []
    for each in answers:
        if isinstance(each, BaseException) and not isinstance(each, FactoryError):
            raise each
        told.append(each)
    return model, told


async def _look(
    platform: Platform, question: DetectQuestion, upload: Upload, deadline: float, gone: Gone | None
) -> dict[str, Any]:
    counts = platform.metrics.of_model(str(question.model))
    started = time.perf_counter()
    try:
        async with platform.darkroom.develop(upload) as pixels:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                message = "The deadline passed while the picture was decoded."
                raise DeadlineError(message)
            result = await platform.engine.infer(
                str(question.model),
                {IMAGE: pixels},
                question.version,
                urgency=replace(question.urgency, timeout_s=left_s),
                gone=gone,
            )
            height, width = pixels.shape[:2]
    except FactoryError:
        counts.failed.inc()
        raise
    counts.answered.inc()
    counts.seconds.observe(time.perf_counter() - started)
    return {"width": width, "height": height, "detections": describe_boxes(result, question)}


def describe_boxes(result: Result, question: DetectQuestion) -> list[dict[str, Any]]:
    """Return boxes as plain data, best first; the same fields as :class:`contracts.Detection`."""
    labels = result.model.manifest.labels
    scores = result.outputs["scores"]  # (box,), best first
    kept = np.flatnonzero(scores >= question.threshold)[: question.limit]
    return [
        {"label": labels[index], "score": score, "box_xyxy_px": box}
        for index, score, box in zip(
            result.outputs["classes"][kept].tolist(),
            scores[kept].tolist(),
            result.outputs["boxes"][kept].tolist(),
            strict=True,
        )
    ]
