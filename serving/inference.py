"""One inference request from bytes to bytes: the hot path, shared by every HTTP front."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from contracts import FactoryError

from .protocol import decode_request, encode_answer

if TYPE_CHECKING:
    from .platform import Platform


async def run_inference(
    platform: Platform, name: str, version: str | None, body: bytes, header_length: str | None
) -> tuple[bytes, int | None]:
    """Answer one request of the Open Inference Protocol.

    Args:
        platform: whose models answer.
        name: of the model.
        version: one that is open; None for the champion.
        body: JSON, followed by raw tensors where ``header_length`` is given.
        header_length: length of the JSON in bytes, as its header says.

    Returns:
        The body of the answer, and the length of its JSON part where raw tensors follow it.

    Raises:
        FactoryError: of the kind that tells what is wrong.
    """
    model = platform.engine.models.find(name, version)
    counts = platform.metrics.of_model(model.name)
    started = time.perf_counter()
    try:
        request = decode_request(body, header_length)
        result = await platform.engine.infer(name, request.feeds, version)
        encoded = encode_answer(name, result.model.version, result.outputs, request)
    except FactoryError:
        counts.failed.inc()
        raise
    counts.answered.inc()
    counts.seconds.observe(time.perf_counter() - started)
    return encoded
