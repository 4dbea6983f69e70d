"""The typed client, blocking and asynchronous, against a real server."""

import asyncio
import socket
import threading
from datetime import timedelta

import numpy as np
import pytest
from pydantic import SecretStr

from contracts import AccessError, Answer, DataError, OverloadedError, Reading, ServiceError, from_ms
from serving import AsyncPlatformClient, PlatformClient, Role
from serving.client import connection

from .city import CONTEXT, FLOW, HOUR_MS, ORPHAN, START_MS
from .running import KEYS, Server, free_port

KEY = SecretStr(KEYS[Role.ADMINISTRATOR])
LATER = from_ms(START_MS + 40 * HOUR_MS)
CONTEXTS = np.arange(2 * CONTEXT, dtype=np.float32).reshape(2, CONTEXT)


@pytest.fixture
def asking(server: Server):
    with PlatformClient(server.url, KEY) as client:
        yield client


def test_readings_go_in_and_come_back(asking: PlatformClient):
    sent = [
        Reading(sign=ORPHAN, time=LATER, value=42.5),
        Reading(sign=ORPHAN, time=LATER + timedelta(hours=1), value=None),
        Reading(sign="main.unknown", time=LATER, value=1),
    ]
    told = asking.post_readings(sent)
    assert told.accepted + told.duplicates == 2
    assert told.last_sequence > 0
    assert [(one.index, one.sign) for one in told.refused] == [(2, "main.unknown")]
    assert "Unknown sign" in told.refused[0].reason
    found = asking.readings(ORPHAN, LATER, LATER + timedelta(minutes=1))
    assert [(one.time, one.value) for one in found] == [(LATER, 42.5)]


def test_forecasts_are_forecasts(asking: PlatformClient):
    at = from_ms(START_MS + 8 * HOUR_MS)
    one = asking.forecast(FLOW, at=at, raw=True)
    assert (one.sign, one.model, one.version, one.interval_s) == (FLOW, "mean", 1, 3600)
    assert one.values.shape == (3, 3)
    (many,) = asking.forecasts([FLOW], at=at, raw=True)
    np.testing.assert_array_equal(many.values, one.values)


def test_warnings_incidents_and_verdicts(asking: PlatformClient):
    found = asking.warnings(place="city.east", limit=10)
    assert {episode.id for episode in found} == {"ep-1", "ep-2"}
    assert asking.warning("ep-1") == next(episode for episode in found if episode.id == "ep-1")
    assert [incident.id for incident in asking.incidents()] == ["in-1"]
    given = asking.give_verdict("ep-3", Answer.BENIGN, "a drill")
    assert (given.episode, given.operator, given.note) == ("ep-3", "administrator", "a drill")
    assert asking.verdicts("ep-1") == []


def test_a_model_is_asked_with_arrays(asking: PlatformClient):
    told = asking.infer("mean", {"context": CONTEXTS}, priority="alarm", outputs=["quantiles"])
    assert (told.model, told.version) == ("mean", 1)
    np.testing.assert_allclose(told.outputs["quantiles"][:, 0, 1], CONTEXTS.mean(axis=1), rtol=1e-6)
    exact = asking.infer("double", {"x": np.full((1, 4), 2**60, np.int64)}, version=4)
    assert exact.outputs["y"].tolist() == [[2**61] * 4]


def test_the_asynchronous_client_asks_the_same(server: Server):
    async def ask() -> None:
        async with AsyncPlatformClient(server.url, KEY) as client:
            assert await client.is_ready()
            told = await asyncio.gather(*(client.infer("mean", {"context": CONTEXTS}) for _ in range(8)))
            assert {one.version for one in told} == {1}
            assert (await client.forecast(FLOW, raw=True)).model == "mean"
            assert len(await client.warnings()) == 3
            with pytest.raises(DataError, match="404"):
                await client.warning("ep-unknown")

    asyncio.run(ask())


def test_errors_say_what_to_do(server: Server):
    with PlatformClient(server.url) as client, pytest.raises(AccessError, match="Set CITYFORGE_API_KEY"):
        client.status()
    with PlatformClient(server.url, KEY) as client:
        with pytest.raises(DataError, match="must have shape"):
            client.infer("mean", {"context": CONTEXTS[:, :3]})
        with pytest.raises(DataError, match="No model 'nothing'"):
            client.infer("nothing", {"context": CONTEXTS})


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch):
    """A server that refuses twice with Retry-After: 0, then answers; it counts what it was asked."""
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)
    asked: list[bytes] = []
    refusal = b"HTTP/1.1 503 x\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
    body = b'{"last_sequence": 7}'
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            taken, _ = listener.accept()
            with taken:
                while len(asked) < 3:
                    asked.append(taken.recv(65536))
                    taken.sendall(refusal if len(asked) < 3 else fine)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join(timeout=10)


def test_a_busy_platform_is_asked_again(busy):
    url, asked = busy
    with PlatformClient(url) as client:
        assert client.status()["last_sequence"] == 7
    assert len(asked) == 3


def test_patience_ends_at_the_deadline():
    patience = connection.Patience(deadline_s=5, timeout_s=30)
    assert patience.timeout_s() <= 5
    assert patience.pause_s(OverloadedError("busy", retry_after_s=1.0)) == 1.0
    with pytest.raises(OverloadedError, match="busy"):
        patience.pause_s(OverloadedError("busy", retry_after_s=6.0))


def test_a_platform_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.0)
    with PlatformClient(f"http://127.0.0.1:{free_port()}") as client:
        assert not client.is_alive()
        with pytest.raises(OverloadedError, match=r"does not answer .* Start the platform"):
            client.status()


def test_what_may_not_be_repeated_is_not(monkeypatch: pytest.MonkeyPatch):
    """A verdict whose answer was lost may have been kept: the client says so instead of giving it twice."""
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection_, _ = listener.accept()
            with connection_:
                taken.append(connection_.recv(65536))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with PlatformClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            with pytest.raises(ServiceError, match="does not answer") as caught:
                client.give_verdict("ep-1", Answer.CONFIRMED)
            assert not isinstance(caught.value, OverloadedError)
        thread.join(timeout=10)
    assert len(taken) == 1
