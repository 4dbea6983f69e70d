"""Forecasts: the window, the calendar and the calibration are those of the sign and time asked for."""

import subprocess
import sys

import httpx
import numpy as np
import pytest

from contracts import CalendarSpec, calendar_features, format_utc
from serving import Role

from .city import CONTEXT, FLOW, HOUR_MS, ORPHAN, PRESSURE, SILENT, START_MS
from .running import KEYS, Server

END_MS = START_MS + CONTEXT * HOUR_MS


def test_the_newest_reading_is_the_origin(client: httpx.Client):
    found = client.get("/forecast", params={"sign": FLOW, "raw": "true"}).json()
    assert found["origin"] == format_utc(END_MS)
    assert found["times"] == [format_utc(END_MS + step * HOUR_MS) for step in (1, 2, 3)]
    mean = np.nanmean([101, np.nan, 103, 104, 105, 106, 107, 108])
    np.testing.assert_allclose(found["values"], [[mean - 1, mean, mean + 1]] * 3, rtol=1e-6)
    assert (found["model"], found["version"], found["calibrated"]) == ("mean", 1, False)


def test_nothing_after_the_time_asked_for_is_looked_at(client: httpx.Client):
    at = format_utc(START_MS + 3 * HOUR_MS)
    found = client.get("/forecast", params={"sign": FLOW, "at": at, "raw": "true"}).json()
    assert found["origin"] == at
    np.testing.assert_allclose(found["values"][0][1], (100 + 101 + 103) / 3, rtol=1e-6)


def test_what_was_learned_moves_the_quantiles(client: httpx.Client):
    raw = client.get("/forecast", params={"sign": FLOW, "raw": "true"}).json()
    calibrated = client.get("/forecast", params={"sign": FLOW}).json()
    assert calibrated["calibrated"]
    np.testing.assert_allclose(np.subtract(calibrated["values"], raw["values"]), 1.0, rtol=1e-4)


def test_the_calendar_is_that_of_the_steps(client: httpx.Client):
    found = client.get("/forecast", params={"sign": PRESSURE}).json()
    last = calendar_features(
        np.array([START_MS + (CONTEXT - 1 + 3) * HOUR_MS]), CalendarSpec(timezone="Europe/Rome", country="IT")
    )
    np.testing.assert_allclose(found["values"][0][1], 50 + last.sum(), rtol=1e-5)


def test_many_signs_are_answered_in_their_order(client: httpx.Client):
    body = {"signs": [PRESSURE, FLOW], "raw": True}
    found = client.post("/forecast", json=body).json()["forecasts"]
    assert [each["sign"] for each in found] == [PRESSURE, FLOW]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"sign": "main.unknown"}, 404, "Unknown sign"),
        ({"sign": ORPHAN}, 404, "No model forecasts"),
        ({"sign": SILENT}, 422, "no reading yet"),
        ({"sign": FLOW, "at": "2000-01-01T00:00:00Z"}, 422, "has 0 usable readings"),
        ({"sign": FLOW, "at": "noon"}, 422, "at:"),
        ({"sign": FLOW, "surprise": "1"}, 422, "surprise"),
        ({}, 422, "sign: Field required"),
    ],
)
def test_a_question_without_an_answer_is_told_why(client: httpx.Client, query, status, said):
    if query.get("sign") == ORPHAN:
        client.post("/readings", json={"sign": ORPHAN, "time": format_utc(START_MS), "value": 1})
    answer = client.get("/forecast", params=query)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_the_bentoml_client_works_unchanged(server: Server):
    """In a process of its own: the client warns of its own parts, and here warnings are errors."""
    code = f"""
import bentoml
with bentoml.SyncHTTPClient({server.url!r}, token={KEYS[Role.VIEWER]!r}) as client:
    assert client.forecast(sign={FLOW!r}, raw=True)["model"] == "mean"
    context = [[None, *[2.0] * {CONTEXT - 1}]]
    answered = client.infer(model="mean", inputs={{"context": context}})
    assert answered["outputs"]["quantiles"][0][0] == [1.0, 2.0, 3.0], answered
    try:
        client.forecast(sign="main.unknown")
    except bentoml.exceptions.BentoMLException as exc:
        print(exc)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Unknown sign 'main.unknown'" in done.stdout
