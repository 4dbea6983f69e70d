"""One inference request on its way through the engine: the hot path, shared by every front."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from contracts import Array, FactoryError

from .access import Headers
from .engine import DEFAULT_URGENCY, Gone, Priority, ServedModel, Urgency
from .errors import MalformedError
from .protocol import HEADER_LENGTH, InferenceRequest, decode_request, encode_answer

if TYPE_CHECKING:
    from .platform import Platform

PRIORITY, DEADLINE = b"x-priority", b"x-deadline-ms"
LONGEST_TIMEOUT_S = 3600.0
_HEADER_LENGTH = HEADER_LENGTH.encode()
_READ = frozenset((_HEADER_LENGTH, PRIORITY, DEADLINE))
_Encoded = TypeVar("_Encoded")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says beside its body.

    Attributes:
        name: of the model.
        version: one that is open; None for the champion.
        headers: of the request.
        gone: returns once the client has left; None where the transport cancels the work itself.
        within_s: seconds after which the transport gives up; None for no such limit.
    """

    name: str
    version: str | None
    headers: Headers
    gone: Gone | None = None
    within_s: float | None = None


def answer_now(
    platform: Platform,
    asked: Asked,
    told: Mapping[bytes, str],
    decode: Callable[[], InferenceRequest],
    encode: Callable[[str, int, Mapping[str, Array], InferenceRequest], _Encoded],
) -> _Encoded | None:
    """Answer one request at once, if the run takes no longer than it would to hand it to a thread.

    Takes and gives what :func:`answer_request` does; None where the request has to wait for something.

    Raises:
        FactoryError: of the kind that tells what is wrong.
    """
    engine = platform.engine
    model = engine.models.find(asked.name, asked.version)
    if not engine.is_instant(model):
        return None
    watch = _Watch(platform, model)
    try:
        request = decode()
        read_urgency(told, request.parameters)  # nothing waits for it here, but it is checked
        watch.decoded = time.perf_counter()
        outputs = engine.run_now(model, request.feeds)
        if outputs is None:
            return None
        watch.inferred = time.perf_counter()
        encoded = encode(asked.name, model.version, outputs, request)
    except FactoryError:
        watch.failed()
        raise
    watch.answered(model, request, outputs)
    return encoded


async def run_inference(platform: Platform, asked: Asked, body: bytes) -> tuple[bytes, int | None]:
    """Answer one request of the Open Inference Protocol.

    Args:
        platform: whose models answer.
        asked: what is asked of whom.
        body: JSON, followed by raw tensors where a header says how long the JSON is.

    Returns:
        The body of the answer, and the length of its JSON part where raw tensors follow it.

    Raises:
        FactoryError: of the kind that tells what is wrong.
    """
    told = read_told(asked.headers)
    return await answer_request(
        platform, asked, told, lambda: decode_request(body, told.get(_HEADER_LENGTH)), encode_answer
    )


async def answer_request(
    platform: Platform,
    asked: Asked,
    told: Mapping[bytes, str],
    decode: Callable[[], InferenceRequest],
    encode: Callable[[str, int, Mapping[str, Array], InferenceRequest], _Encoded],
) -> _Encoded:
    """Decode a request, run it, encode its answer, and count all three.

    Args:
        platform: whose models answer.
        asked: what is asked of whom.
        told: the headers that say how urgent it is.
        decode: gives the request.
        encode: takes model, version, outputs and request to what the transport sends.

    Raises:
        FactoryError: of the kind that tells what is wrong.
    """
    watch = _Watch(platform, platform.engine.models.find(asked.name, asked.version))
    try:
        request = decode()
        urgency = limit_urgency(read_urgency(told, request.parameters), asked.within_s)
        watch.decoded = time.perf_counter()
        result = await platform.engine.infer(asked.name, request.feeds, asked.version, urgency=urgency, gone=asked.gone)
        watch.inferred = time.perf_counter()
        encoded = encode(asked.name, result.model.version, result.outputs, request)
    except FactoryError:
        watch.failed()
        raise
    watch.answered(result.model, request, result.outputs)
    return encoded


class _Watch:
    """When a request began and how far it is, counted once it is over."""

    __slots__ = ("_counts", "_log", "_model", "_started", "decoded", "inferred")

    def __init__(self, platform: Platform, model: ServedModel) -> None:
        self._model = model
        self._counts = platform.metrics.of_model(model.name)
        self._log = platform.inference_log
        self._started = self.decoded = self.inferred = time.perf_counter()

    def failed(self) -> None:
        self._counts.failed.inc()
        self._model.usage.refused(time.perf_counter() - self._started)

    def answered(self, model: ServedModel, request: InferenceRequest, outputs: Mapping[str, Array]) -> None:
        """Count an answer, for the version that gave it, and let the log draw it."""
        ended = time.perf_counter()
        self._counts.answered.inc()
        self._counts.seconds.observe(ended - self._started)
        model.usage.answered(self._started, self.decoded, self.inferred, ended)
        if self._log is not None:
            self._log.offer(model, request.feeds, outputs, self.inferred - self.decoded)


def read_told(headers: Headers) -> dict[bytes, str]:
    """Return those headers that say something about inference."""
    return {name: str(value, "latin-1") for name, value in headers if name in _READ}


def limit_urgency(urgency: Urgency, within_s: float | None) -> Urgency:
    """Return an urgency whose time does not outlast the transport's."""
    if within_s is None or within_s >= urgency.timeout_s:
        return urgency
    return Urgency(urgency.priority, max(within_s, 0.0))


def read_urgency(headers: Mapping[bytes, str], parameters: Mapping[str, Any]) -> Urgency:
    """Return how urgent a request is, by its headers or by the protocol's parameters.

    Args:
        headers: ``x-priority`` (alarm, interactive or bulk) and ``x-deadline-ms``; they win.
        parameters: ``priority`` (1 alarm, 2 interactive, 3 bulk, 0 default) and ``timeout`` in microseconds.

    Raises:
        MalformedError: if one of them cannot be read.
    """
    priority, deadline = headers.get(PRIORITY), headers.get(DEADLINE)
    if priority is None and deadline is None and not ("priority" in parameters or "timeout" in parameters):
        return DEFAULT_URGENCY
    rank = parameters.get("priority", 0) if priority is None else priority
    timeout_s = _seconds(parameters.get("timeout"), 1e-6) if deadline is None else _seconds(deadline, 1e-3)
    return Urgency(_priority(rank), timeout_s)


def _priority(rank: object) -> Priority:
    if rank in (0, "0"):
        return DEFAULT_URGENCY.priority
    for priority in Priority:
        if rank == priority.value or str(rank).upper() == priority.name:
            return priority
    message = f"The priority {rank!r} is none of alarm (1), interactive (2) and bulk (3)."
    raise MalformedError(message)


def _seconds(given: object, unit_s: float) -> float:
    if given in (None, 0):
        return DEFAULT_URGENCY.timeout_s
    try:
        seconds = float(str(given)) * unit_s
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        message = f"The deadline {given!r} must be positive and at most {LONGEST_TIMEOUT_S:.0f} s."
        raise MalformedError(message)
    return seconds
