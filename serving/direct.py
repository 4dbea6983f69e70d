"""The shortest way for small inference: from the HTTP parser to the engine and back, in one call and one write.

Below ASGI stands uvicorn's protocol, which makes a scope, a task, events and two writes for every request; around a run
of 20 µs that is most of the time. A whole request for a model whose runs are over at once is answered here instead.
Everything else, and whatever is unusual about a request, goes uvicorn's way.
"""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .bodies import PACKINGS
from .front import Answer, Front, is_inference

PATIENCE_S = 1.0
"""How long a body that was begun is waited for here."""


class DirectProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with one exit before ASGI."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._front = _front_of(self.app)
        self._parts: list[bytes] | None = None
        self._patience: TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take what has come; a body that is not whole by then is waited for, but not for long."""
        super().data_received(data)
        if self._parts is not None and self._patience is None:
            self._patience = self.loop.call_later(PATIENCE_S, self._hand_over)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what has come so far."""
        self._take_parts()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Stop after the request that has begun."""
        self._hand_over()
        super().shutdown()

    def on_headers_complete(self) -> None:
        """Decide which way a request goes."""
        if self._may_go_direct():
            self._parts = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Answer a whole request, or let it go uvicorn's way after all."""
        body = self._take_parts()
        if body is None:
            super().on_message_complete()
            return
        answer = self._front.answer_now(self.url, self.headers, body)
        if answer is None:
            self._begin(body)
            super().on_message_complete()
        else:
            self._write(answer)

    def _take_parts(self) -> bytes | None:
        """Return what has come of a body and wait no longer; None where no request is on the short way."""
        parts, self._parts = self._parts, None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        return None if parts is None else b"".join(parts)

    def _hand_over(self) -> None:
        """Let the request that has begun go uvicorn's way, where a body may come as slowly as our bounds allow."""
        body = self._take_parts()
        if body is not None:
            self._begin(body)

    def _begin(self, body: bytes) -> None:
        super().on_headers_complete()
        self.cycle.body = body  # type: ignore[assignment] # as it is: adding it to a bytearray copies it twice
        self.cycle.message_event.set()

    def _may_go_direct(self) -> bool:
        url = self.url
        if b"%" in url or not url.isascii() or not is_inference(url.decode("ascii")) or self._is_busy():
            return False
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1" or parser.should_upgrade():
            return False
        return not self.expect_100_continue and _is_plain(self.headers, self._front.longest_body)

    def _is_busy(self) -> bool:
        """Return whether an earlier request is not answered, the client reads too slowly, or the connection closes."""
        cycle = self.cycle
        unanswered = cycle is not None and not cycle.response_complete
        return unanswered or bool(self.pipeline) or self.flow.write_paused or self.transport.is_closing()

    def _write(self, answer: Answer) -> None:
        """Write an answer whole, and wait for the next request."""
        lines = [STATUS_LINE[answer.status], b"content-length: %d\r\n" % len(answer.content)]
        lines += [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *answer.headers)]
        keep = self.parser.should_keep_alive()
        lines += [b"\r\n" if keep else b"connection: close\r\n\r\n", answer.content]
        self.transport.write(b"".join(lines))
        if not keep:
            self.transport.close()
        self.on_response_complete()


def _is_plain(headers: list[tuple[bytes, bytes]], limit: int) -> bool:
    """Return whether a body announces its length, is not too long, and neither it nor the answer is to be packed."""
    fits = False
    for name, value in headers:
        if name == b"content-length":
            fits = value.isdigit() and int(value) <= limit
        elif name in (b"content-encoding", b"transfer-encoding") or (name == b"accept-encoding" and value in PACKINGS):
            return False
    return fits


def _front_of(app: Any) -> Front:
    """Return the front in whatever uvicorn has put around it."""
    while not isinstance(app, Front):
        app = app.app
    return app
