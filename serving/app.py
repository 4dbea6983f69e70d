"""The HTTP application: the routes of this room as Starlette serves them, each behind its least role."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Lifespan

from contracts import FactoryError

from .answers import JSON, answer_error, error_body
from .platform import Platform
from .routes import ROUTES, Call, Route

log = logging.getLogger(__name__)


def build_app(platform: Callable[[], Platform], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """Return the application.

    Args:
        platform: returns the process's state; called per request, once the process has started.
        lifespan: starts and stops that state.
    """
    handlers = {HTTPException: _answer_http, HTTPStatus.INTERNAL_SERVER_ERROR.value: _answer_crash}
    routes = [
        StarletteRoute(route.path, _endpoint(route, platform), methods=[route.method], name=route.summary)
        for route in ROUTES
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)  # type: ignore[arg-type] # handlers by class or status


def _endpoint(route: Route, platform: Callable[[], Platform]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        held = platform()
        try:
            principal = None
            if route.least is not None:
                principal = held.keys.admit(request.scope["headers"], route.least)
            return await route.handle(Call(held, request, principal))
        except FactoryError as exc:
            return answer_error(exc)

    return endpoint


async def _answer_http(_request: Request, exc: HTTPException) -> Response:
    message = f"{exc.detail}. The routes are described at /docs."
    return Response(error_body(message), exc.status_code, headers=exc.headers, media_type=JSON)


async def _answer_crash(request: Request, exc: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=exc)
    body = error_body("This failed here, not on your side; the log of the server tells more.")
    return Response(body, HTTPStatus.INTERNAL_SERVER_ERROR, media_type=JSON)
