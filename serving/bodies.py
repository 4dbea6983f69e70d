"""Request bodies, bounded: a body that is too long is refused before it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .errors import ClientGoneError, DeadlineError, MalformedError, TooLargeError

BODY_TIMEOUT_S = 60.0
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read_body(scope: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes:
    """Read a whole body.

    Args:
        scope: of the ASGI request.
        receive: of the ASGI request.
        limit: most bytes.

    Raises:
        TooLargeError: if it is, or announces itself as, longer than the limit.
        MalformedError: if its announced length is no number.
        DeadlineError: if it does not arrive in time.
        ClientGoneError: if the client leaves before the end.
    """
    for name, value in scope["headers"]:
        if name == b"content-length":
            _check_announced(value, limit)
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":
        return _bounded(message.get("body", b""), limit)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _read_chunks(message, receive, limit)
    except TimeoutError as exc:
        text = f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s."
        raise DeadlineError(text) from exc


async def _read_chunks(message: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            text = "The client left before its request was whole."
            raise ClientGoneError(text)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(None, limit)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()


def _check_announced(value: bytes, limit: int) -> None:
    if not value.isdigit():
        text = f"The Content-Length {value[:40]!r} is no number."
        raise MalformedError(text)
    if int(value) > limit:
        raise _too_large(value.decode(), limit)


def _bounded(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(str(len(body)), limit)
    return body


def _too_large(given: str | None, limit: int) -> TooLargeError:
    return TooLargeError(
        f"The body has {given or 'too many'} bytes; at most {limit} are taken. Send it in smaller parts."
    )
