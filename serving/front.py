"""The outermost layer: it keeps inference clear of every framework, and closes what nobody opened.

An ASGI middleware. Inference goes from here straight to the engine; the routes of this room to their application;
what belongs to the framework below goes on only with a key. Nothing else passes.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from http import HTTPStatus
from typing import Any

from contracts import FactoryError

from .access import Headers
from .answers import JSON, OCTETS, error_body
from .bodies import PACKINGS, Receive, pack, read_body
from .errors import ClientGoneError
from .inference import Asked, run_inference
from .platform import Platform
from .protocol import HEADER_LENGTH
from .settings import Role
from .statuses import headers_of, status_of

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_MODELS, _INFER, _VERSIONS = "/v2/models/", "/infer", "/versions/"
_HEADER_LENGTH = HEADER_LENGTH.encode()

log = logging.getLogger(__name__)


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one connection."""
        if scope["type"] != "http":
            await self._below(scope, receive, send)
            return
        path = scope["path"]
        if scope["method"] == "POST" and path.startswith(_MODELS) and path.endswith(_INFER):
            await self._infer(scope, receive, send)
        elif path in self._passed:
            await self._pass_on(scope, receive, send)
        else:
            await self._routes(scope, receive, send)

    async def _infer(self, scope: Scope, receive: Receive, send: Send) -> None:
        platform = self._platform()
        try:
            platform.keys.admit(scope["headers"], Role.VIEWER)
            name, version = _model_of(scope["path"])
            body = await read_body(scope, receive, platform.settings.max_body_bytes)
            asked = Asked(name, version, scope["headers"], receive)
            content, length = await run_inference(platform, asked, body)
            packing = _wanted_packing(scope["headers"])
        except ClientGoneError:
            return
        except FactoryError as exc:
            await _send_error(send, exc)
        except Exception:
            log.exception("inference failed")
            message = "This failed here, not on your side; the log of the server tells more."
            await _send(send, HTTPStatus.INTERNAL_SERVER_ERROR, error_body(message), _headers(JSON))
        else:
            headers = _headers(JSON if length is None else OCTETS)
            if length is not None:
                headers.append((_HEADER_LENGTH, str(length).encode()))
            if packing is not None:
                content = await pack(content, packing)
                headers.append((b"content-encoding", packing))
            await _send(send, HTTPStatus.OK, content, headers)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._platform().keys.admit(scope["headers"], Role.VIEWER)
        except FactoryError as exc:
            await _send_error(send, exc)
        else:
            await self._below(scope, receive, send)


def _model_of(path: str) -> tuple[str, str | None]:
    name, _, version = path[len(_MODELS) : -len(_INFER)].partition(_VERSIONS)
    return name, version or None


def _wanted_packing(headers: Headers) -> bytes | None:
    """Return how the answer is to be packed.

    Only who names one way alone gets it: most clients name several with every request, and packing would cost them,
    and us, more than it saves.
    """
    for name, value in headers:
        if name == b"accept-encoding":
            return value if value in PACKINGS else None
    return None


def _headers(media_type: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", media_type.encode())]


async def _send_error(send: Send, error: FactoryError) -> None:
    headers = _headers(JSON)
    headers += [(name.lower().encode(), value.encode()) for name, value in headers_of(error).items()]
    await _send(send, status_of(error), error_body(str(error)), headers)


async def _send(send: Send, status: HTTPStatus, content: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": content})
