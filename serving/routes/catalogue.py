"""Signs and places: what is measured, and where."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from contracts import IDENTIFIER, Domain, Sign
from serving.answers import answer
from serving.settings import Role

from .table import Call, Route

_TAG = "catalogue"


class SignQuery(BaseModel):
    """Which signs to list.

    Attributes:
        place: at this place or below it.
        domain: of this domain.
        after: id of the last one of the page before.
        limit: length of a page.
    """

    model_config = ConfigDict(extra="forbid")

    place: str | None = Field(default=None, pattern=IDENTIFIER)
    domain: Domain | None = None
    after: str | None = Field(default=None, pattern=IDENTIFIER)
    limit: int = Field(default=1000, ge=1, le=10_000)


async def _signs(call: Call) -> Response:
    query = call.query(SignQuery)
    found = await call.platform.ask(_find_signs, call, query)
    page, more = found[: query.limit], len(found) > query.limit
    return answer({"signs": page, "next": page[-1].id if more else None})


def _find_signs(call: Call, query: SignQuery) -> list[Sign]:
    catalogue = call.platform.catalogue
    places = set(catalogue.subtree(query.place)) if query.place is not None else None
    return [
        sign
        for sign in sorted(catalogue.signs(), key=lambda each: each.id)
        if (places is None or sign.place in places)
        and query.domain in (None, sign.domain)
        and (query.after is None or sign.id > query.after)
    ]


async def _sign(call: Call) -> Response:
    signs = await call.platform.ask(call.platform.catalogue.signs, [call.path["sign"]])
    return answer(signs[call.path["sign"]])


async def _places(call: Call) -> Response:
    tree = await call.platform.ask(call.platform.catalogue.places)
    return answer({"places": list(tree), "next": None})


ROUTES = (
    Route("GET", "/signs", Role.VIEWER, _signs, "List signs", _TAG, query=SignQuery),
    Route("GET", "/signs/{sign}", Role.VIEWER, _sign, "One sign", _TAG),
    Route("GET", "/places", Role.VIEWER, _places, "All places, of all five levels", _TAG),
)
