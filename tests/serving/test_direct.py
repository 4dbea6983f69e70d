"""The short way below ASGI: what goes it, what does not, and that the answers are the same and in order."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from uvicorn.server import ServerState

from serving import ServingSettings
from serving.direct import DirectProtocol
from serving.front import Front
from serving.platform import Platform

from .city import CONTEXT, City

PATH = "/v2/models/mean/infer"


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Do nothing: the test says what comes."""

    def resume_reading(self) -> None:
        """Do nothing, as above."""


class Line:
    """One connection to a front with the champion ``mean``; what reaches the application below is answered by 299."""

    def __init__(self, folder: Path) -> None:
        self.city = City(folder)
        self.city.promote(self.city.release_mean(1))
        settings = ServingSettings(store_url=self.city.store_url, releases_url=self.city.releases_url, open_access=True)
        self.platform = Platform(settings)
        self.long_way = 0
        self.app = Front(self._below, routes=self._below, platform=lambda: self.platform, passed=())
        self.config = uvicorn.Config(self, http=DirectProtocol, log_config=None, lifespan="off")
        self.config.load()
        self.state = ServerState()

    async def __call__(self, scope, receive, send) -> None:
        """Stand around the front, as uvicorn's own layers do, and count what comes by."""
        self.long_way += 1
        await self.app(scope, receive, send)

    async def _below(self, _scope, _receive, send) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def connect(self) -> tuple[DirectProtocol, Wire]:
        protocol, wire = DirectProtocol(self.config, self.state, {}), Wire()
        protocol.connection_made(wire)
        return protocol, wire

    async def answered(self, wire: Wire, count: int) -> list[int]:
        """Wait until so many answers are written; return their statuses."""
        async with asyncio.timeout(60):
            while wire.written.count(b"HTTP/1.1 ") < count:
                await asyncio.sleep(0.001)
        return statuses(wire)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path)
    yield made
    made.city.close()


def statuses(wire: Wire) -> list[int]:
    return [int(part[:3]) for part in wire.written.split(b"HTTP/1.1 ")[1:]]


def request(*headers: str, path: str = PATH, value: float = 10, rows: int = 1, verb: str = "POST") -> bytes:
    tensor = {"name": "context", "shape": [rows, CONTEXT], "datatype": "FP32", "data": [value] * CONTEXT * rows}
    body = json.dumps({"inputs": [tensor]}).encode() if verb == "POST" else b""
    lines = [f"{verb} {path} HTTP/1.1", "Host: here", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def body_of(wire: Wire) -> dict[str, object]:
    return json.loads(wire.written.rpartition(b"\r\n\r\n")[2])


def run(line: Line, scenario) -> None:
    async def whole() -> None:
        await line.platform.start()
        try:
            await scenario()
        finally:
            await line.platform.stop()

    asyncio.run(whole())


def test_a_whole_request_is_answered_before_the_call_returns(line: Line):
    async def scenario() -> None:
        protocol, wire = line.connect()
        protocol.data_received(request())
        assert statuses(wire) == [200]
        assert body_of(wire)["outputs"][0]["data"][1] == 10  # type: ignore[index]
        protocol.data_received(request(value=20) + request(value=30))
        assert statuses(wire) == [200, 200, 200]
        assert body_of(wire)["outputs"][0]["data"][1] == 30  # type: ignore[index]
        assert (line.long_way, wire.closed, line.state.total_requests) == (0, False, 3)
        protocol.connection_lost(None)

    run(line, scenario)


def test_errors_come_the_same_way(line: Line):
    async def scenario() -> None:
        protocol, wire = line.connect()
        protocol.data_received(request(path="/v2/models/nothing/infer"))
        protocol.data_received(request(path=PATH.replace("/infer", "/versions/9/infer")))
        protocol.data_received(request().replace(b'"FP32"', b'"FP16"'))
        protocol.data_received(request().replace(b"context", b"contest"))
        protocol.data_received(request("X-Priority: royal"))
        assert statuses(wire) == [404, 404, 422, 422, 400]
        assert line.long_way == 0
        protocol.connection_lost(None)

    run(line, scenario)


def test_a_body_may_come_in_pieces(line: Line):
    async def scenario() -> None:
        protocol, wire = line.connect()
        whole = request()
        for start in range(0, len(whole), 100):
            protocol.data_received(whole[start : start + 100])
        assert statuses(wire) == [200]
        protocol.data_received(whole[:-5])
        protocol._hand_over()  # as its timer does
        protocol.data_received(whole[-5:])
        assert await line.answered(wire, 2) == [200, 200]
        assert line.long_way == 1
        protocol.connection_lost(None)

    run(line, scenario)


@pytest.mark.parametrize(
    "unusual",
    [
        request("Expect: 100-continue"),
        request("Accept-Encoding: gzip"),
        request(path="/v2/models/me%61n/infer"),
        request(path=f"{PATH}?x=1"),
        request(rows=600),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["expectation", "packed", "escaped", "query", "many rows", "old"],
)
def test_what_is_unusual_goes_the_long_way_to_the_same_answer(line: Line, unusual: bytes):
    async def scenario() -> None:
        protocol, wire = line.connect()
        protocol.data_received(unusual)
        assert (await line.answered(wire, 1))[-1] in (200, 100)
        assert line.long_way == 1
        protocol.connection_lost(None)

    run(line, scenario)


def test_answers_keep_the_order_of_their_requests(line: Line):
    async def scenario() -> None:
        protocol, wire = line.connect()
        protocol.data_received(
            request(verb="GET", path="/status") + request() + request(path="/v2/models/nothing/infer")
        )
        assert await line.answered(wire, 3) == [299, 200, 404]
        protocol.data_received(request())
        assert statuses(wire)[3:] == [200]
        protocol.connection_lost(None)

    run(line, scenario)


def test_a_connection_is_closed_when_the_client_or_the_stop_of_the_server_wants_it(line: Line):
    async def scenario() -> None:
        protocol, wire = line.connect()
        protocol.data_received(request("Connection: close"))
        assert statuses(wire) == [200]
        assert wire.closed
        assert b"connection: close" in wire.written

        protocol, wire = line.connect()
        protocol.data_received(request()[:-5])
        protocol.shutdown()
        assert not wire.closed
        protocol.data_received(request()[-5:])
        assert await line.answered(wire, 1) == [200]
        assert wire.closed

    run(line, scenario)


def test_nested_values_as_bentoml_sends_them(line: Line):
    async def scenario() -> None:
        protocol, wire = line.connect()
        body = json.dumps({"model": "mean", "inputs": {"context": [[10.0, None] * (CONTEXT // 2)]}}).encode()
        head = f"POST /bentoml/infer HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        protocol.data_received(head + body)
        assert statuses(wire) == [200]
        answer = body_of(wire)
        assert (answer["model"], answer["version"]) == ("mean", 1)
        assert answer["outputs"]["quantiles"][0][0][1] == 10  # type: ignore[index]
        for wrong in (b"[]", b'{"model": 1, "inputs": {}}', b'{"model": "mean", "inputs": {"context": [["a"]]}}'):
            protocol.data_received(head.replace(str(len(body)).encode(), str(len(wrong)).encode()) + wrong)
        assert statuses(wire)[1:] == [400, 400, 422]
        assert line.long_way == 0
        protocol.connection_lost(None)

    run(line, scenario)
