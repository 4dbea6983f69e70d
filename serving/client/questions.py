"""What can be asked, apart from how it travels: each question says what to send and how to read the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import numpy as np
import orjson
from pydantic import ValidationError

from contracts import (
    Answer,
    Array,
    DType,
    Episode,
    Forecast,
    Incident,
    Reading,
    ServiceError,
    Verdict,
    parse_utc,
    to_ms,
)
from serving.protocol import HEADER_LENGTH, decode_tensor

from .connection import FIRST_ERROR, error_of

_Found = TypeVar("_Found")
_UNPROCESSABLE = 422
Filters = str | int
"""Values of filters, as the lists of warnings and incidents take them: place, level, status, since, until, limit."""


@dataclass(frozen=True, slots=True)
class Question(Generic[_Found]):
    """One request and how its answer is read.

    Attributes:
        method: of HTTP.
        path: with its parameters quoted.
        read: takes the answer to what it says.
        params: of the query.
        content: of the body.
        headers: beside those of the connection.
        repeatable: whether asking twice does no harm.
        report: a status above 399 whose body is an answer like any other.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], _Found]
    params: Mapping[str, str | int] = field(default_factory=dict)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    report: int | None = None

    def answer(self, response: httpx.Response) -> _Found:
        """Return what an answer says.

        Raises:
            FactoryError: what its status means, or ``ServiceError`` if it cannot be understood.
        """
        if response.status_code >= FIRST_ERROR and not self._is_report(response):
            raise error_of(response)
        try:
            return self.read(response)
        except (KeyError, TypeError, ValueError, ValidationError) as exc:
            message = f"The answer of {self.method} {self.path} cannot be understood ({exc}). Is it of this version?"
            raise ServiceError(message) from exc

    def _is_report(self, response: httpx.Response) -> bool:
        return response.status_code == self.report and b'"refused"' in response.content


@dataclass(frozen=True, slots=True)
class RefusedReading:
    """A reading that was not taken.

    Attributes:
        index: its position among those sent.
        sign: the sign it names, if it names one.
        reason: why.
    """

    index: int
    sign: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of readings; all but those refused survive a crash of the platform.

    Attributes:
        accepted: new ones.
        duplicates: known before with the same value.
        revisions: new values for a known sign and time.
        last_sequence: position of the inbox behind them.
        refused: those that were not taken.
    """

    accepted: int
    duplicates: int
    revisions: int
    last_sequence: int
    refused: tuple[RefusedReading, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """A model's answer.

    Attributes:
        model: its name.
        version: the version that answered.
        outputs: name → array.
    """

    model: str
    version: int
    outputs: dict[str, Array]


def post_readings(readings: Sequence[Reading]) -> Question[IngestResult]:
    """Return the question that takes in readings."""
    body = orjson.dumps({"readings": [reading.model_dump(mode="json") for reading in readings]})
    return Question("POST", "/readings", _read_report, content=body, report=_UNPROCESSABLE)


def post_tick(time: datetime) -> Question[int]:
    """Return the question that moves the clock of a replay; its answer is the tick's position in the inbox."""
    body = orjson.dumps({"time": time.isoformat()})
    return Question("POST", "/ticks", lambda answer: int(answer.json()["last_sequence"]), content=body)


def status() -> Question[dict[str, Any]]:
    """Return the question how inbox, runtime and models stand."""
    return Question("GET", "/status", lambda answer: dict(answer.json()))


def forecast(sign: str, at: datetime | None, *, raw: bool) -> Question[Forecast]:
    """Return the question for one sign's forecast."""
    params = {"sign": sign, "raw": str(raw).lower()}
    if at is not None:
        params["at"] = at.isoformat()
    return Question("GET", "/forecast", lambda answer: _read_forecast(answer.json()), params=params)


def forecasts(signs: Sequence[str], at: datetime | None, *, raw: bool) -> Question[list[Forecast]]:
    """Return the question for many signs' forecasts."""
    body = orjson.dumps({"signs": list(signs), "at": None if at is None else at.isoformat(), "raw": raw})
    return Question(
        "POST", "/forecast", lambda answer: [_read_forecast(each) for each in answer.json()["forecasts"]], content=body
    )


def readings(sign: str, since: datetime | None, until: datetime | None) -> Question[list[Reading]]:
    """Return the question for a sign's readings in a span of event time."""
    span = {"since": since, "until": until}
    params = {"sign": sign} | {name: time.isoformat() for name, time in span.items() if time is not None}

    def read(answer: httpx.Response) -> list[Reading]:
        return [Reading(sign=sign, time=each["time"], value=each["value"]) for each in answer.json()["readings"]]

    return Question("GET", "/readings", read, params=params)


def warnings(filters: Mapping[str, Filters]) -> Question[list[Episode]]:
    """Return the question for warnings, newest first."""
    return Question(
        "GET",
        "/warnings",
        lambda answer: [Episode.model_validate(each) for each in answer.json()["warnings"]],
        params=filters,
    )


def warning(episode: str) -> Question[Episode]:
    """Return the question for one warning with its reasons."""

    def read(answer: httpx.Response) -> Episode:
        return Episode.model_validate({key: value for key, value in answer.json().items() if key != "verdicts"})

    return Question("GET", f"/warnings/{quote(episode, safe='')}", read)


def verdicts(episode: str) -> Question[list[Verdict]]:
    """Return the question for what operators said of a warning."""
    return Question(
        "GET",
        f"/warnings/{quote(episode, safe='')}",
        lambda answer: [Verdict.model_validate(each) for each in answer.json()["verdicts"]],
    )


def give_verdict(episode: str, answer: Answer, note: str) -> Question[Verdict]:
    """Return the question that tells what an operator found."""
    return Question(
        "POST",
        f"/warnings/{quote(episode, safe='')}/verdict",
        lambda response: Verdict.model_validate(response.json()["verdict"]),
        content=orjson.dumps({"answer": answer.value, "note": note}),
        repeatable=False,  # each verdict is kept
    )


def incidents(filters: Mapping[str, Filters]) -> Question[list[Incident]]:
    """Return the question for incidents, newest first."""
    return Question(
        "GET",
        "/incidents",
        lambda answer: [Incident.model_validate(each) for each in answer.json()["incidents"]],
        params=filters,
    )


def infer(
    model: str,
    feeds: Mapping[str, Array],
    *,
    version: int | None = None,
    outputs: Sequence[str] = (),
    priority: str = "interactive",
    deadline_s: float,
) -> Question[Inference]:
    """Return the question to a model, its tensors raw in both directions.

    Raises:
        ValueError: if an array's type is none of the protocol's.
    """
    raw = [np.ascontiguousarray(array).tobytes() for array in feeds.values()]
    described = [
        {
            "name": name,
            "shape": array.shape,
            "datatype": DType(str(array.dtype)).open_inference_name,
            "parameters": {"binary_data_size": len(content)},
        }
        for (name, array), content in zip(feeds.items(), raw, strict=True)
    ]
    document: dict[str, Any] = {"inputs": described, "parameters": {"binary_data_output": True}}
    if outputs:
        document["outputs"] = [{"name": name} for name in outputs]
    head = orjson.dumps(document)
    headers = {
        HEADER_LENGTH: str(len(head)),
        "X-Priority": priority,
        "X-Deadline-Ms": f"{1000 * deadline_s:.0f}",
        "Content-Type": "application/octet-stream",
    }
    path = f"/v2/models/{quote(model, safe='')}" + ("" if version is None else f"/versions/{version}")
    return Question("POST", path + "/infer", _read_inference, content=b"".join((head, *raw)), headers=headers)


def _read_report(answer: httpx.Response) -> IngestResult:
    told = answer.json()
    refused = tuple(RefusedReading(**each) for each in told.pop("refused"))
    return IngestResult(**told, refused=refused)


def _read_forecast(told: Mapping[str, Any]) -> Forecast:
    return Forecast(
        sign=told["sign"],
        origin_ms=to_ms(parse_utc(told["origin"])),
        interval_s=told["interval_s"],
        quantiles=tuple(told["quantiles"]),
        values=np.asarray(told["values"], np.float32),
        model=told["model"],
        version=told["version"],
    )


def _read_inference(answer: httpx.Response) -> Inference:
    content = memoryview(answer.content)
    length = int(answer.headers.get(HEADER_LENGTH, len(content)))
    document, offset = orjson.loads(content[:length]), length
    outputs = {}
    for told in document["outputs"]:
        size = told["parameters"]["binary_data_size"]
        data = content[offset : offset + size]
        outputs[told["name"]] = decode_tensor(told["name"], told["datatype"], told["shape"], data)
        offset += size
    return Inference(document["model_name"], int(document["model_version"]), outputs)
