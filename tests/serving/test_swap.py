"""A new champion takes over while requests come in; a broken one never does."""

from pathlib import Path

import httpx
import pytest

from contracts import Action

from .city import CONTEXT, City, populated
from .running import Server, free_port, run_server, settings_of


@pytest.fixture
def running(tmp_path: Path):
    city = populated(tmp_path)
    with run_server(settings_of(city.store_url, city.releases_url, free_port()), tmp_path / "log") as server:
        yield city, server
    city.close()


def model(server: Server, condition) -> dict[str, object]:
    def of_mean(response: httpx.Response) -> dict[str, object]:
        return next(each for each in response.json()["models"] if each["name"] == "mean")

    return of_mean(server.wait_until("/status", lambda response: condition(of_mean(response))))


def ask(server: Server, version: str = "") -> tuple[str, float]:
    path = f"/v2/models/mean{version}/infer"
    tensor = {"name": "context", "shape": [1, CONTEXT], "datatype": "FP32", "data": [10] * CONTEXT}
    with server.client() as client:
        answer = client.post(path, json={"inputs": [tensor]})
        assert answer.status_code == 200, answer.text
        return answer.json()["model_version"], answer.json()["outputs"][0]["data"][1]


def test_swap_rollback_and_a_broken_successor(running: tuple[City, Server]):
    city, server = running
    assert ask(server) == ("1", 10.0)
    city.promote(city.release_mean(2, shift=5))
    model(server, lambda found: found["champion"] == 2)
    assert ask(server) == ("2", 15.0)
    assert ask(server, "/versions/1") == ("1", 10.0)

    city.promote(city.release_mean(3, shift=7, golden="wrong"))
    found = model(server, lambda found: found["failure"] is not None)
    assert "does not repeat its golden output 'quantiles'" in str(found["failure"])
    assert ask(server) == ("2", 15.0)

    city.promote(city.release_mean(4, shift=9))
    model(server, lambda found: found["champion"] == 4 and found["failure"] is None)
    assert ask(server) == ("4", 19.0)
    second = city.release_mean(2, shift=5)
    city.promote(second, Action.ROLLBACK)
    model(server, lambda found: found["champion"] == 2)
    assert ask(server) == ("2", 15.0)


def test_a_corrupt_file_replaces_nothing_and_heals_when_it_is_restored(running: tuple[City, Server]):
    city, server = running
    manifest = city.release_mean(2, shift=5)
    file = Path(city.releases_url) / manifest.sha256 / "model.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    city.promote(manifest)
    model(server, lambda found: found["failure"] is not None)
    assert ask(server) == ("1", 10.0)
    with server.client() as client:
        assert client.get("/readyz").status_code == 200
    file.write_bytes(whole)
    model(server, lambda found: found["champion"] == 2)


def test_a_model_without_any_version_that_opens_keeps_the_process_from_being_ready(tmp_path: Path):
    city = City(tmp_path)
    with run_server(settings_of(city.store_url, city.releases_url, free_port()), tmp_path / "log") as server:
        city.promote(city.release_mean(1, golden="wrong"))
        server.wait_until("/readyz", lambda response: response.status_code == 503)
        with server.client() as client:
            answer = client.post("/v2/models/mean/infer", json={"inputs": []})
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
            assert client.get("/livez").status_code == 200
        city.promote(city.release_mean(2, shift=1))
        server.wait_until("/readyz", lambda response: response.status_code == 200)
    city.close()
