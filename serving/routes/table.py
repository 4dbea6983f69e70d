"""What a route is: declared once, it drives dispatch, access and the published description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from contracts import DataError
from serving.access import Principal
from serving.bodies import read_body
from serving.errors import MalformedError
from serving.platform import Platform
from serving.protocol import read_json
from serving.settings import Role

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(slots=True)
class Call:
    """One request on its way to a handler.

    Attributes:
        platform: the process's state.
        request: the HTTP request.
        principal: who asks; None on routes that are open.
    """

    platform: Platform
    request: Request
    principal: Principal | None

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters in the path."""
        return self.request.path_params

    def query(self, model: type[_Model]) -> _Model:
        """Return the query, checked; a parameter given more than once becomes a list.

        Raises:
            DataError: naming every parameter that is wrong.
        """
        given = self.request.query_params
        values = {key: _one_or_all(given.getlist(key)) for key in given}
        return check(model, values, "query")

    async def body(self) -> bytes:
        """Return the body.

        Raises:
            TooLargeError: if it is longer than allowed.
        """
        return await read_body(self.request.scope, self.request.receive, self.platform.settings.max_body_bytes)

    async def json(self, model: type[_Model]) -> _Model:
        """Return the body, read and checked.

        Raises:
            MalformedError: if it is not JSON.
            DataError: naming every field that is wrong.
        """
        return _read(model, await self.body())

    async def optional_json(self, model: type[_Model]) -> _Model:
        """Return the body, read and checked, or the defaults where there is none; raises like :meth:`json`."""
        return _read(model, await self.body() or b"{}")


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: of HTTP.
        path: with parameters in braces.
        least: the least role that may use it; None opens it to everyone.
        handle: the handler.
        summary: one line for the published description.
        tag: group in the published description.
        query: model of its query parameters.
        body: model of its JSON body.
        body_required: whether the body may be left out.
        takes: media types of a body that is no JSON.
        answers: status → what it means, beside the errors every route may give.
    """

    method: str
    path: str
    least: Role | None
    handle: Handler
    summary: str
    tag: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_required: bool = True
    takes: tuple[str, ...] = ()
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "OK"})


def _read(model: type[_Model], body: bytes) -> _Model:
    read_json(body)  # says where broken JSON breaks
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise DataError(_describe(exc, "body")) from exc


def check(model: type[_Model], values: object, what: str) -> _Model:
    """Return values as a model.

    Raises:
        DataError: naming everything that is wrong.
    """
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise DataError(_describe(exc, what)) from exc


def _describe(exc: ValidationError, what: str) -> str:
    problems = [
        f"{'.'.join(map(str, error['loc'])) or what}: {error['msg']}"
        for error in exc.errors(include_url=False, include_input=False)
    ]
    return f"The {what} has {len(problems)} mistakes: {'; '.join(problems[:20])}."


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def expect_list(document: object, key: str) -> list[object]:
    """Return the items of a body that is a list, an object holding one under ``key``, or a single item.

    Raises:
        MalformedError: if it is none of these.
    """
    items = document.get(key, [document]) if isinstance(document, dict) else document
    if not isinstance(items, list):
        message = f"Send a list, an object with a list {key!r}, or one item as an object."
        raise MalformedError(message)
    return items
