"""Deadlines and classes over HTTP, and requests whose client leaves."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from serving import Role
from serving.engine import Priority, Urgency
from serving.errors import MalformedError
from serving.inference import read_urgency

from .running import KEYS, Server

ROWS = 2000
BODY = {"inputs": [{"name": "x", "shape": [ROWS, 4], "datatype": "FP32", "data": [1.0] * (ROWS * 4)}]}
PATH = "/v2/models/slow/infer"


@pytest.mark.parametrize(
    ("headers", "parameters", "urgency"),
    [
        ({}, {}, Urgency()),
        ({b"x-priority": "alarm"}, {"priority": 3}, Urgency(Priority.ALARM)),
        ({}, {"priority": 3, "timeout": 500_000}, Urgency(Priority.BULK, 0.5)),
        ({b"x-deadline-ms": "20"}, {"priority": 0, "timeout": 1}, Urgency(timeout_s=0.02)),
    ],
)
def test_headers_win_over_parameters(headers, parameters, urgency):
    assert read_urgency(headers, parameters) == urgency


@pytest.mark.parametrize("deadline", ["0", "-5", "soon", "nan", "1e12"])
def test_a_deadline_that_is_none_is_refused(deadline):
    with pytest.raises(MalformedError, match="must be positive"):
        read_urgency({b"x-deadline-ms": deadline}, {})


def test_a_priority_that_is_none_is_refused():
    with pytest.raises(MalformedError, match="none of alarm"):
        read_urgency({b"x-priority": "urgent"}, {})


def test_under_overload_some_are_refused_with_retry_after_and_none_is_lost(slow: Server):
    def ask(_number: int) -> httpx.Response:
        with slow.client(Role.VIEWER) as client:
            return client.post(PATH, json=BODY, headers={"X-Deadline-Ms": "400"})

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(ask, range(48)))
    statuses = {answer.status_code for answer in answers}
    assert 200 in statuses
    assert statuses <= {200, 503, 504}
    assert 503 in statuses
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 503)


def test_the_work_of_clients_that_leave_is_dropped(slow: Server):
    body = json.dumps(BODY).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEYS[Role.VIEWER]}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    left = 10
    with slow.client(Role.VIEWER) as client:
        before = executed_rows(client)
        for _ in range(left):
            with socket.create_connection(("127.0.0.1", slow.port)) as raw:
                raw.sendall(head + body)
        assert client.post(PATH, json=BODY).status_code == 200
        assert executed_rows(client) - before <= (left + 1) // 2 * ROWS, "the work of clients who left was done"
    assert "Traceback" not in Path(slow.log).read_text()


def executed_rows(client: httpx.Client) -> int:
    return int(client.get("/v2/models/slow/stats").json()["model_stats"][0]["inference_count"])
