"""Who may ask: every route has its least role, and nothing is open that did not say so."""

import httpx
import pytest

from contracts import AccessError
from serving import ApiKey, Role
from serving.access import OPEN_PRINCIPAL, KeyRing
from serving.errors import AuthenticationError
from serving.routes import ROUTES

from .running import KEYS, Server

OPEN = {
    "/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs",
    "/v2/models/{name}/ready", "/v2/models/{name}/versions/{version}/ready",
}  # fmt: skip
ROLES = sorted(Role, key=lambda role: role.rank)


def fill(path: str) -> str:
    return path.format_map(dict.fromkeys(("name", "version", "id", "sign"), "1"))


def test_only_health_and_the_description_are_open():
    assert {route.path for route in ROUTES if route.least is None} == OPEN


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.least is not None], ids=lambda r: r.method + r.path
)
def test_a_route_admits_its_least_role_and_refuses_the_one_below(server: Server, route):
    with server.client(None) as client:
        refused = client.request(route.method, fill(route.path))
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    if route.least.rank:
        with server.client(ROLES[route.least.rank - 1]) as client:
            assert client.request(route.method, fill(route.path)).status_code == 403
    with server.client(route.least) as client:
        assert client.request(route.method, fill(route.path)).status_code not in (401, 403)


@pytest.mark.parametrize("path", ["/schema.json", "/bentoml/forecast", "/bentoml/infer"])
def test_what_belongs_to_bentoml_is_closed_too(server: Server, path):
    with server.client(None) as client:
        assert client.post(path, json={}).status_code == 401


@pytest.mark.parametrize("path", ["/", "/static_content/x", "/docs.json", "/healthz", "/metrics/", "/v2/../status"])
def test_nothing_else_is_reachable(server: Server, path):
    with server.client(None) as client:
        assert client.get(path).status_code in (401, 404, 307)


def test_a_key_may_come_in_either_header_and_never_reaches_the_log(server: Server):
    key = KEYS[Role.VIEWER]
    assert httpx.get(f"{server.url}/signs", headers={"X-API-Key": key}).status_code == 200
    assert httpx.get(f"{server.url}/signs", headers={"Authorization": f"bearer {key}"}).status_code == 200
    assert httpx.get(f"{server.url}/signs", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert httpx.get(f"{server.url}/signs", headers={"Authorization": f"Basic {key}"}).status_code == 401
    assert key not in server.log.read_text()


def test_open_access_makes_everyone_without_a_key_an_administrator_but_no_wrong_key():
    ring = KeyRing((), open_access=True)
    assert ring.admit([], Role.ADMINISTRATOR) is OPEN_PRINCIPAL
    with pytest.raises(AuthenticationError, match="not known"):
        ring.admit([(b"x-api-key", b"wrong")], Role.VIEWER)


def test_a_role_that_is_too_low_is_named():
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    ring = KeyRing([ApiKey(name="pump", role=Role.OPERATOR, sha256=digest)])
    assert ring.admit([(b"x-api-key", b"foo")], Role.OPERATOR).name == "pump"
    with pytest.raises(AccessError, match="needs the role 'engineer'; the key 'pump' has 'operator'"):
        ring.admit([(b"x-api-key", b"foo")], Role.ENGINEER)
