"""Warnings and incidents: found, explained, answered."""

import httpx
import pytest

from contracts import Episode, Incident, format_utc

from .city import EPISODES, HOUR_MS, INCIDENT, START_MS


def ids(client: httpx.Client, **query: object) -> list[str]:
    answer = client.get("/warnings", params=query)
    assert answer.status_code == 200, answer.text
    return [Episode.model_validate(each).id for each in answer.json()["warnings"]]


def test_the_newest_come_first(client: httpx.Client):
    assert ids(client) == ["ep-3", "ep-2", "ep-1"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"place": "city.east"}, ["ep-2", "ep-1"]),
        ({"place": "city"}, ["ep-3", "ep-2", "ep-1"]),
        ({"place": "city.east.river"}, ["ep-1"]),
        ({"level": "red"}, ["ep-2"]),
        ({"level": "red,blue"}, ["ep-2", "ep-1"]),
        ({"level": ["red", "blue"]}, ["ep-2", "ep-1"]),
        ({"status": "closed"}, []),
        ({"since": format_utc(START_MS + 2 * HOUR_MS)}, ["ep-3", "ep-2"]),
        ({"until": format_utc(START_MS + 2 * HOUR_MS)}, ["ep-1"]),
        ({"limit": 2}, ["ep-3", "ep-2"]),
        ({"limit": 2, "after": "ep-2"}, ["ep-1"]),
    ],
)
def test_filters_and_pages(client: httpx.Client, query, found):
    assert ids(client, **query) == found


def test_next_is_the_way_to_the_next_page_and_ends(client: httpx.Client):
    assert client.get("/warnings", params={"limit": 2}).json()["next"] == "ep-2"
    assert client.get("/warnings", params={"limit": 2, "after": "ep-2"}).json()["next"] is None
    assert client.get("/warnings", params={"limit": 3}).json()["next"] is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"level": "purple"}, "level"),
        ({"place": "nowhere"}, "No place 'nowhere'"),
        ({"limit": 0}, "limit"),
        ({"after": "ep-9"}, "ep-9"),
        ({"since": "2022-04-01"}, "since"),
    ],
)
def test_a_wrong_filter_is_told(client: httpx.Client, query, said):
    answer = client.get("/warnings", params=query)
    assert answer.status_code == 422
    assert said in answer.json()["error"]


def test_one_warning_comes_whole_with_its_verdicts(client: httpx.Client):
    posted = client.post("/warnings/ep-1/verdict", json={"answer": "confirmed", "note": "seen on site"})
    assert posted.status_code == 202
    assert posted.json()["verdict"]["operator"] == "administrator"
    document = client.get("/warnings/ep-1").json()
    assert [each["answer"] for each in document.pop("verdicts")] == ["confirmed"]
    assert Episode.model_validate(document) == EPISODES[0]


def test_an_incident_comes_with_its_warnings(client: httpx.Client):
    assert [each["id"] for each in client.get("/incidents").json()["incidents"]] == ["in-1"]
    document = client.get("/incidents/in-1").json()
    assert [each["id"] for each in document.pop("warnings")] == ["ep-1", "ep-2", "ep-3"]
    assert Incident.model_validate(document) == INCIDENT


@pytest.mark.parametrize("path", ["/warnings/none", "/incidents/none"])
def test_what_is_not_there_is_404(client: httpx.Client, path):
    assert client.get(path).status_code == 404


def test_a_verdict_must_be_one(client: httpx.Client):
    assert client.post("/warnings/none/verdict", json={"answer": "confirmed"}).status_code == 404
    wrong = client.post("/warnings/ep-1/verdict", json={"answer": "perhaps"})
    assert wrong.status_code == 422
    assert "answer" in wrong.json()["error"]
