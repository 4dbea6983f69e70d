"""Warnings and incidents: found by place, level, status and time; one with its reasons; an operator's answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response

from contracts import IDENTIFIER, Answer, Episode, Incident, Level, Status, UtcTime, Verdict, from_ms, to_ms
from serving.answers import answer
from serving.errors import NotFoundError
from serving.settings import Role
from store import EpisodeFilter

from .table import Call, Route

_TAG = "warnings"
_WARNING, _INCIDENT = "warning", "incident"
_Find = Callable[[EpisodeFilter], list[Any]]


class WarningQuery(BaseModel):
    """Which warnings or incidents to list, newest opening first.

    Attributes:
        place: at this place or below it.
        level: on one of these levels now.
        status: with one of these statuses now.
        since: opened at this time or later.
        until: opened before this time.
        after: the ``next`` of the page before.
        limit: length of a page.
    """

    model_config = ConfigDict(extra="forbid")

    place: str | None = Field(default=None, pattern=IDENTIFIER)
    level: tuple[Level, ...] = ()
    status: tuple[Status, ...] = ()
    since: UtcTime | None = None
    until: UtcTime | None = None
    after: str | None = Field(default=None, max_length=128)
    limit: int = Field(default=100, ge=1, le=999)

    @field_validator("level", "status", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return value.split(",") if isinstance(value, str) else value


class Finding(BaseModel):
    """An operator's answer to a warning.

    Attributes:
        answer: what was found.
        note: free text.
    """

    model_config = ConfigDict(extra="forbid")

    answer: Answer
    note: str = Field(default="", max_length=4000)


async def _warnings(call: Call) -> Response:
    return await _page(call, "warnings", call.platform.store.episodes.find)


async def _incidents(call: Call) -> Response:
    return await _page(call, "incidents", call.platform.store.incidents.find)


async def _page(call: Call, key: str, find: _Find) -> Response:
    query = call.query(WarningQuery)
    found = await call.platform.ask(_find, call, query, find)
    page, more = found[: query.limit], len(found) > query.limit
    return answer({key: page, "next": page[-1].id if more else None})


def _find(call: Call, query: WarningQuery, find: _Find) -> list[Any]:
    wanted = EpisodeFilter(
        place_ids=None if query.place is None else call.platform.catalogue.subtree(query.place),
        levels=query.level or None,
        statuses=query.status or None,
        since_ms=None if query.since is None else to_ms(query.since),
        until_ms=None if query.until is None else to_ms(query.until),
        limit=query.limit + 1,  # one more than shown tells whether there is a next page
        after=query.after,
    )
    return find(wanted)


async def _warning(call: Call) -> Response:
    store, key = call.platform.store, call.path["id"]
    episode = await call.platform.ask(store.episodes.get, key)
    if episode is None:
        raise _unknown(_WARNING, key)
    verdicts = await call.platform.ask(store.verdicts.find, key)
    return answer(episode.model_dump(mode="json") | {"verdicts": verdicts})


async def _incident(call: Call) -> Response:
    store, key = call.platform.store, call.path["id"]
    incident = await call.platform.ask(store.incidents.get, key)
    if incident is None:
        raise _unknown(_INCIDENT, key)
    warnings = await call.platform.ask(_children, call, incident)
    return answer(incident.model_dump(mode="json") | {"warnings": warnings})


def _children(call: Call, incident: Incident) -> list[Episode]:
    found = (call.platform.store.episodes.get(key) for key in incident.episodes)
    return [episode for episode in found if episode is not None]


async def _verdict(call: Call) -> Response:
    finding, key = await call.json(Finding), call.path["id"]
    if await call.platform.ask(call.platform.store.episodes.get, key) is None:
        raise _unknown(_WARNING, key)
    assert call.principal is not None  # noqa: S101 - the route needs a role
    verdict = Verdict(
        episode=key,
        answer=finding.answer,
        operator=call.principal.name,
        time=from_ms(call.platform.now_ms()),
        note=finding.note,
    )
    sequence = await call.platform.ask(call.platform.store.inbox.append_verdict, verdict)
    return answer({"verdict": verdict, "last_sequence": sequence}, 202)


def _unknown(kind: str, key: str) -> NotFoundError:
    message = f"There is no {kind} {key[:128]!r}. Take its id from the list of {kind}s."
    return NotFoundError(message)


ROUTES = (
    Route("GET", "/warnings", Role.VIEWER, _warnings, "List warnings", _TAG, query=WarningQuery),
    Route("GET", "/warnings/{id}", Role.VIEWER, _warning, "One warning with its reasons and answers", _TAG),
    Route(
        "POST",
        "/warnings/{id}/verdict",
        Role.OPERATOR,
        _verdict,
        "Answer a warning",
        _TAG,
        body=Finding,
        answers={202: "The answer is committed; the runtime takes it up next."},
    ),
    Route("GET", "/incidents", Role.VIEWER, _incidents, "List incidents", _TAG, query=WarningQuery),
    Route("GET", "/incidents/{id}", Role.VIEWER, _incident, "One incident with its warnings", _TAG),
)
