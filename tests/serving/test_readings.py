"""Readings: each judged alone, the good ones committed before the answer."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from contracts import format_utc
from serving import Role

from .city import FLOW, HOUR_MS, ORPHAN, START_MS, City, populated
from .running import Server, free_port, launch, run_server, settings_of, wait_ready

LATER_MS = START_MS + 10_000 * HOUR_MS


def reading(step: int, value: object = 1.0, sign: str = ORPHAN, **others: object) -> dict[str, object]:
    return {"sign": sign, "time": format_utc(LATER_MS + step * HOUR_MS), "value": value, **others}


def test_readings_are_idempotent_and_revisions_are_kept(client: httpx.Client):
    batch = [reading(0), reading(1, None), reading(2, 3, quality="suspect")]
    first = client.post("/readings", json={"readings": batch})
    assert first.status_code == 200
    assert (first.json()["accepted"], first.json()["duplicates"]) == (3, 0)
    again = client.post("/readings", json=batch).json()
    assert (again["accepted"], again["duplicates"], again["last_sequence"]) == (0, 3, first.json()["last_sequence"])
    revised = client.post("/readings", json=reading(0, 2.5)).json()
    assert (revised["accepted"], revised["revisions"]) == (1, 1)
    span = {"sign": ORPHAN, "since": format_utc(LATER_MS), "until": format_utc(LATER_MS + 2 * HOUR_MS)}
    values = [each["value"] for each in client.get("/readings", params=span).json()["readings"]]
    assert values == [2.5, None, 3.0]
    told = client.get("/readings", params=span | {"revisions": "true"}).json()["readings"]
    assert [(each["value"], each["revision"]) for each in told] == [(1.0, 1), (2.5, 2), (None, 1), (3.0, 1)]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (reading(100, sign="main.unknown"), "Unknown sign 'main.unknown'"),
        (reading(100, "12.5"), "value: Input should be a valid number"),
        (reading(100, True), "value: Input should be a valid number"),
        (reading(100, 401), "above 400"),
        (reading(100, -1), "below 0"),
        (reading(100, quality="splendid"), "quality"),
        (reading(100, surprise=1), "surprise"),
        (reading(100) | {"time": "2022-04-27T13:00:00"}, "timezone"),
        (reading(100) | {"time": "yesterday"}, "time"),
        (reading(100) | {"time": 1_650_000_000}, "time"),
        (reading(100) | {"time": "2999-01-01T00:00:00Z"}, "lies after"),
        ({"value": 1}, "sign: Field required"),
        ("nonsense", "reading"),
        (None, "reading"),
    ],
)
def test_a_wrong_reading_is_refused_alone(client: httpx.Client, wrong, reason):
    step = 200
    answer = client.post("/readings", json=[reading(step), wrong, reading(step + 1)])
    assert answer.status_code == 207
    document = answer.json()
    assert document["accepted"] + document["duplicates"] == 2
    assert [each["index"] for each in document["refused"]] == [1]
    assert reason in document["refused"][0]["reason"]
    alone = client.post("/readings", json=[wrong])
    assert alone.status_code == 422
    assert alone.json()["accepted"] == 0


def test_broken_json_is_400_with_its_place(client: httpx.Client):
    answer = client.post("/readings", content=b'[{"sign": "main.flow",]')
    assert answer.status_code == 400
    assert "line 1, column" in answer.json()["error"]
    assert client.post("/readings", json=7).status_code == 400


def test_no_readings_are_no_mistake(client: httpx.Client):
    assert client.post("/readings", json=[]).json()["accepted"] == 0


def test_a_sign_imported_while_serving_runs_is_known_within_a_second(city: City, server: Server):
    new = city.store.signs.all()[0].model_copy(update={"id": "main.new"})
    with server.client(Role.OPERATOR) as client:
        assert client.post("/readings", json=[reading(0, sign="main.new")]).status_code == 422
        city.store.signs.put([new])
        deadline_requests = 200
        for _ in range(deadline_requests):
            answer = client.post("/readings", json=[reading(0, sign="main.new")])
            if answer.status_code == 200:
                break
            signal.sigtimedwait([], 0.02)
        assert answer.status_code == 200


def test_ticks_move_the_clock_of_a_replay(client: httpx.Client):
    before = client.get("/status").json()["inbox_sequence"]
    assert client.post("/ticks", json={"time": format_utc(LATER_MS)}).json()["last_sequence"] == before + 1
    assert "time" in client.post("/ticks", json={"time": "soon"}).json()["error"]


def test_a_series_that_is_too_long_is_refused(client: httpx.Client):
    answer = client.get("/readings", params={"sign": FLOW, "since": "1900-01-01T00:00:00Z"})
    assert answer.status_code == 422
    assert "at most 50000" in answer.json()["error"]


def test_what_was_answered_survives_kill_9(tmp_path: Path):
    city = populated(tmp_path)
    settings = settings_of(city.store_url, city.releases_url, free_port())
    server = launch(settings, tmp_path / "log")
    wait_ready(server)
    with server.client() as client:
        answered = client.post("/readings", json=[reading(step) for step in range(50)]).json()
        os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    with run_server(settings, tmp_path / "log2") as again, again.client() as client:
        assert client.get("/status").json()["inbox_sequence"] == answered["last_sequence"]
        assert client.post("/ticks", json={"time": format_utc(LATER_MS)}).status_code == 409
    city.close()
