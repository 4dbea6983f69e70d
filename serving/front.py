"""The outermost layer: it keeps inference clear of every framework, and closes what nobody opened.

An ASGI middleware. Inference goes from here straight to the engine; the routes of this room to their application;
what belongs to the framework below goes on only with a key. Nothing else passes.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, NamedTuple

from contracts import Array, FactoryError

from .access import Headers
from .answers import JSON, OCTETS, error_body
from .bodies import PACKINGS, Receive, pack, read_body
from .engine import Gone
from .errors import ClientGoneError
from .inference import Asked, answer_now, answer_request, read_told
from .nested import decode_inputs, encode_outputs, read_question
from .platform import Platform
from .protocol import HEADER_LENGTH, InferenceRequest, decode_raw, decode_request, encode_answer
from .settings import Role
from .statuses import headers_of, status_of

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_MODELS, _INFER, _VERSIONS = "/v2/models/", "/infer", "/versions/"
NESTED_PATH = "/bentoml/infer"
_HEADER_LENGTH = HEADER_LENGTH.encode()
_NO_JSON = "0"
_Encoded = tuple[bytes, int | None]
_Question = tuple[
    Asked,
    dict[bytes, str],
    Callable[[], InferenceRequest],
    Callable[[str, int, Mapping[str, Array], InferenceRequest], _Encoded],
]

_JSON, _OCTETS = (b"content-type", JSON.encode()), (b"content-type", OCTETS.encode())

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What is sent back.

    Attributes:
        status: of HTTP.
        content: the body.
        headers: beside the body's length.
    """

    status: int
    content: bytes
    headers: list[tuple[bytes, bytes]]


class Front:
    """Dispatches requests.

    Args:
        app: the framework below; it gets its own paths and everything that is no request.
        routes: the application of this room's routes.
        platform: returns the process's state, once it has started.
        passed: paths of the framework below that a viewer may use.
    """

    def __init__(
        self, app: Application, *, routes: Application, platform: Callable[[], Platform], passed: Collection[str]
    ) -> None:
        self._below = app
        self._routes = routes
        self._platform = platform
        self._passed = frozenset(passed)

    @property
    def longest_body(self) -> int:
        """Bytes of the longest body that is read."""
        return self._platform().settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one connection."""
        if scope["type"] != "http":
            await self._below(scope, receive, send)
            return
        path = scope["path"]
        if scope["method"] == "POST" and is_inference(path):
            await self._infer(scope, receive, send)
        elif path in self._passed:
            await self._pass_on(scope, receive, send)
        else:
            await self._routes(scope, receive, send)

    def answer_now(self, url: bytes, headers: Headers, body: bytes) -> Answer | None:
        """Answer a whole inference request at once; None where it has to wait for something.

        Args:
            url: of an inference route, in ASCII.
            headers: of the request, names in lower case.
            body: whole.
        """
        try:
            platform = self._platform()
            platform.keys.admit(headers, Role.VIEWER)
            found = answer_now(platform, *_read(platform, url.decode("ascii"), headers, body, None))
        except FactoryError as exc:
            return _refusal(exc)
        except Exception:  # noqa: BLE001 - the client is told, and the log
            return _failure()
        return None if found is None else _inferred(*found)

    async def _infer(self, scope: Scope, receive: Receive, send: Send) -> None:
        platform, headers = self._platform(), scope["headers"]
        try:
            platform.keys.admit(headers, Role.VIEWER)
            body = await read_body(scope, receive, platform.settings.max_body_bytes)
            question = _read(platform, scope["path"], headers, body, receive)
            content, length = await answer_request(platform, *question)
            answer = await _packed(_inferred(content, length), headers)
        except ClientGoneError:
            return
        except FactoryError as exc:
            answer = _refusal(exc)
        except Exception:  # noqa: BLE001 - as above
            answer = _failure()
        await _send(send, answer)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._platform().keys.admit(scope["headers"], Role.VIEWER)
        except FactoryError as exc:
            await _send(send, _refusal(exc))
        else:
            await self._below(scope, receive, send)


def is_inference(path: str) -> bool:
    """Return whether a path asks a model, in the Open Inference Protocol or with nested values."""
    return (path.startswith(_MODELS) and path.endswith(_INFER)) or path == NESTED_PATH


def _read(platform: Platform, path: str, headers: Headers, body: bytes, gone: Gone | None) -> _Question:
    """Return what is asked, and how it is decoded and encoded."""
    told = read_told(headers)
    if path == NESTED_PATH:
        question = read_question(body)
        signature = platform.engine.models.find(question.model, question.version).signature
        asked = Asked(question.model, question.version, headers, gone)
        return asked, told, lambda: decode_inputs(question.inputs, signature), encode_outputs
    name, _, version = path[len(_MODELS) : -len(_INFER)].partition(_VERSIONS)
    asked = Asked(name, version or None, headers, gone)
    length = told.get(_HEADER_LENGTH)
    if length == _NO_JSON:
        signature = platform.engine.models.find(name, asked.version).signature
        return asked, told, lambda: decode_raw(body, signature), encode_answer
    return asked, told, lambda: decode_request(body, length), encode_answer


def _inferred(content: bytes, length: int | None) -> Answer:
    if length is None:
        return Answer(HTTPStatus.OK, content, [_JSON])
    return Answer(HTTPStatus.OK, content, [_OCTETS, (_HEADER_LENGTH, b"%d" % length)])


async def _packed(answer: Answer, headers: Headers) -> Answer:
    """Return an answer packed, where the request's headers name one way alone.

    Most clients name several with every request, and packing would cost them, and us, more than it saves.
    """
    for name, value in headers:
        if name == b"accept-encoding" and value in PACKINGS:
            content = await pack(answer.content, value)
            return Answer(answer.status, content, [*answer.headers, (b"content-encoding", value)])
    return answer


def _refusal(error: FactoryError) -> Answer:
    more = [(name.lower().encode(), value.encode()) for name, value in headers_of(error).items()]
    return Answer(status_of(error), error_body(str(error)), [_JSON, *more])


def _failure() -> Answer:
    """Return the answer to what failed unexpectedly; called where it is handled."""
    log.exception("inference failed")
    message = "This failed here, not on your side; the log of the server tells more."
    return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, error_body(message), [_JSON])


async def _send(send: Send, answer: Answer) -> None:
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.content))]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
