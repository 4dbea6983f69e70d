"""One populated city and one running server for the tests that only read, or write what harms no other."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from contracts import DType
from serving import Role

from .city import City, doubler, populated
from .running import Server, free_port, run_server, settings_of


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    made = populated(tmp_path_factory.mktemp("city"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def server(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    others = {"clock": "ticks", "max_body_bytes": 1_000_000, "grpc_port": free_port()}
    settings = settings_of(city.store_url, city.releases_url, free_port(), **others)
    with run_server(settings, tmp_path_factory.mktemp("server") / "serving.log") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client(Role.ADMINISTRATOR) as opened:
        yield opened


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one thread, and one model that a large request keeps busy."""
    folder = tmp_path_factory.mktemp("slow")
    city = City(folder)
    content, declared = doubler(DType.FLOAT32, cost=20)
    city.promote(city.release("slow", 1, content, declared))
    settings = settings_of(city.store_url, city.releases_url, free_port(), threads=1, grpc_port=free_port())
    with run_server(settings, folder / "log") as server:
        yield server
    city.close()
