"""Request bodies, bounded: a body that is too long is refused before it is read."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .errors import ClientGoneError, DeadlineError, EncodingError, MalformedError, TooLargeError

BODY_TIMEOUT_S = 60.0
PACKINGS = (b"gzip", b"deflate")
_GZIP, _LEVEL = 16, 1
_DETECT = 32
"""Tells zlib to find out by itself whether it is given gzip or zlib."""
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read_body(scope: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes:
    """Read a whole body.

    Args:
        scope: of the ASGI request.
        receive: of the ASGI request.
        limit: most bytes, also once unpacked.

    Raises:
        TooLargeError: if it is, or announces itself as, longer than the limit.
        MalformedError: if its announced length is no number, or it cannot be unpacked.
        EncodingError: if it is packed in a way that is not taken.
        DeadlineError: if it does not arrive in time.
        ClientGoneError: if the client leaves before the end.
    """
    packing = b""
    for name, value in scope["headers"]:
        if name == b"content-length":
            _check_announced(value, limit)
        elif name == b"content-encoding":
            packing = value.strip().lower()
    if packing and packing != b"identity":
        _check_packing(packing)
        packed = await _read(receive, limit)
        return await asyncio.get_running_loop().run_in_executor(None, _unpack, packed, limit)
    return await _read(receive, limit)


async def pack(body: bytes, packing: bytes) -> bytes:
    """Return a body packed in one of :data:`PACKINGS`, off the event loop."""
    wbits = zlib.MAX_WBITS | (_GZIP if packing == b"gzip" else 0)
    return await asyncio.get_running_loop().run_in_executor(None, lambda: zlib.compress(body, _LEVEL, wbits))


async def _read(receive: Receive, limit: int) -> bytes:
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


def _check_packing(packing: bytes) -> None:
    if packing not in (b"gzip", b"x-gzip", b"deflate"):
        text = f"The Content-Encoding {packing[:40].decode('latin-1')!r} is not taken. Use gzip, deflate or none."
        raise EncodingError(text)


def _unpack(packed: bytes, limit: int) -> bytes:
    """Unpack gzip or zlib, and stop at the limit: a small body must not become a huge one."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | _DETECT)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error as exc:
        text = f"The body is not packed as its Content-Encoding says: {exc}."
        raise MalformedError(text) from exc
    if len(body) <= limit and not unpacker.eof:
        text = "The packed body ends before its end."
        raise MalformedError(text)
    return _bounded(body, limit)


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
