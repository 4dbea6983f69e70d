"""The published description of the routes, and a page that shows it; nothing in it comes from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import HTMLResponse, Response

from serving.answers import answer
from serving.openapi import describe_routes, render_page

from .table import Call, Route

_TAG = "description"


def document_routes(described: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes that publish the description of other routes. They hold no data and are open."""
    document = describe_routes(described)
    page = render_page(document)

    async def openapi(_call: Call) -> Response:
        return answer(document)

    async def docs(_call: Call) -> Response:
        return HTMLResponse(page)

    return (
        Route("GET", "/openapi.json", None, openapi, "This description", _TAG),
        Route("GET", "/docs", None, docs, "This description as a page", _TAG),
    )
