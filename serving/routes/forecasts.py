"""Forecasts for people and applications: of a sign, at a time, calibrated by what came true."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from contracts import IDENTIFIER, UtcTime, to_ms
from serving.answers import answer
from serving.forecasting import forecast_signs
from serving.settings import Role

from .table import Call, Route

_TAG = "forecasts"
MAXIMUM_SIGNS = 10_000
SignId = Annotated[str, Field(pattern=IDENTIFIER)]


class ForecastQuery(BaseModel):
    """Which forecast.

    Attributes:
        sign: id of the sign.
        at: event time it is issued at: nothing later is looked at. Default: the sign's newest reading.
        raw: as the model gave it, without calibration.
    """

    model_config = ConfigDict(extra="forbid")

    sign: SignId
    at: UtcTime | None = None
    raw: bool = False


class ForecastBatch(BaseModel):
    """Which forecasts.

    Attributes:
        signs: ids of signs.
        at: event time they are issued at. Default: each sign's newest reading.
        raw: as the models gave them, without calibration.
    """

    model_config = ConfigDict(extra="forbid")

    signs: list[SignId] = Field(min_length=1, max_length=MAXIMUM_SIGNS)
    at: UtcTime | None = None
    raw: bool = False


async def _get_forecast(call: Call) -> Response:
    query = call.query(ForecastQuery)
    at_ms = None if query.at is None else to_ms(query.at)
    found = await forecast_signs(call.platform, [query.sign], at_ms, raw=query.raw)
    return answer(found[0])


async def _post_forecasts(call: Call) -> Response:
    batch = await call.json(ForecastBatch)
    at_ms = None if batch.at is None else to_ms(batch.at)
    found = await forecast_signs(call.platform, list(dict.fromkeys(batch.signs)), at_ms, raw=batch.raw)
    return answer({"forecasts": found, "next": None})


ROUTES = (
    Route("GET", "/forecast", Role.VIEWER, _get_forecast, "Forecast one sign", _TAG, query=ForecastQuery),
    Route("POST", "/forecast", Role.VIEWER, _post_forecasts, "Forecast many signs", _TAG, body=ForecastBatch),
)
