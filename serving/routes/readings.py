"""Readings in and out, and the clock of a replay."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from contracts import IDENTIFIER, DataError, UtcTime, format_utc, from_ms, to_ms
from serving.answers import answer
from serving.errors import ConflictError
from serving.ingest import ReadingBatch, ingest
from serving.protocol import read_json
from serving.settings import Role

from .table import Call, Route, expect_list

_TAG = "readings"
_LONGEST_SERIES = 50_000
_DEFAULT_SPAN = timedelta(days=7)


class SeriesQuery(BaseModel):
    """Which readings to give.

    Attributes:
        sign: id of the sign.
        since: first event time; default seven days before ``until``.
        until: last event time; default now.
        revisions: every value that was told, not only the latest.
    """

    model_config = ConfigDict(extra="forbid")

    sign: str = Field(pattern=IDENTIFIER)
    since: UtcTime | None = None
    until: UtcTime | None = None
    revisions: bool = False


class Tick(BaseModel):
    """How far the clock of a replay has come.

    Attributes:
        time: event time.
    """

    model_config = ConfigDict(extra="forbid")

    time: UtcTime


async def _post_readings(call: Call) -> Response:
    items = expect_list(read_json(await call.body()), "readings")
    report = await call.platform.ask(ingest, call.platform, items)
    return answer(report.document(), report.status)


async def _get_readings(call: Call) -> Response:
    query = call.query(SeriesQuery)
    until = query.until or from_ms(call.platform.now_ms())
    since = query.since or until - _DEFAULT_SPAN
    document = await call.platform.ask(_read, call, query, since, until)
    return answer(document)


def _read(call: Call, query: SeriesQuery, since: datetime, until: datetime) -> dict[str, object]:
    store = call.platform.store.readings
    sign = call.platform.catalogue.signs([query.sign])[query.sign]
    steps = (to_ms(until) - to_ms(since)) // (sign.interval_s * 1000)
    if steps > _LONGEST_SERIES:
        message = f"{query.sign!r} may have {steps} readings in that time; at most {_LONGEST_SERIES} are given at once."
        raise DataError(message)
    head = {"sign": sign.id, "unit": sign.unit, "interval_s": sign.interval_s}
    if query.revisions:
        told = store.revisions(sign.id, to_ms(since), to_ms(until))
        rows = [
            {
                "time": format_utc(each.time_ms),
                "value": each.value,
                "quality": each.quality.value,
                "revision": each.revision,
                "sequence": each.sequence,
                "received": format_utc(each.received_ms),
            }
            for each in told
        ]
        return head | {"readings": rows, "next": None}
    series = store.series(sign.id, to_ms(since), to_ms(until))
    return head | {
        "readings": [
            {"time": format_utc(int(time_ms)), "value": value}
            for time_ms, value in zip(series.times_ms, series.values.tolist(), strict=True)
        ],
        "next": None,
    }


async def _post_tick(call: Call) -> Response:
    if call.platform.settings.clock != "ticks":
        message = "The clock here is the system's. Ticks move the clock of a replay only."
        raise ConflictError(message)
    tick = await call.json(Tick)
    sequence = await call.platform.ask(call.platform.store.inbox.append_tick, to_ms(tick.time))
    return answer({"last_sequence": sequence})


ROUTES = (
    Route(
        "POST",
        "/readings",
        Role.OPERATOR,
        _post_readings,
        "Take in readings",
        _TAG,
        body=ReadingBatch,
        answers={
            200: "Every reading is committed, or was before.",
            207: "Some are committed; those under `refused` are not.",
            422: "None is committed; each stands under `refused`.",
        },
    ),
    Route("GET", "/readings", Role.VIEWER, _get_readings, "Give a sign's readings", _TAG, query=SeriesQuery),
    Route("POST", "/ticks", Role.ENGINEER, _post_tick, "Move the clock of a replay", _TAG, body=Tick),
)
