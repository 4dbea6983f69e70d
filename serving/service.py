"""The BentoML service: what `bentoml` tools find here, over the same platform as every other front.

Its access log, metrics and tracing are off: they would cost more than inference does, and the platform has its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import bentoml
import numpy as np
from bentoml.exceptions import BentoMLException
from starlette.applications import Starlette

from contracts import Array, FactoryError, parse_utc, to_ms

from .app import build_app
from .forecasting import forecast_signs
from .front import NESTED_PATH, Application, Front
from .nested import decode_inputs
from .platform import Platform
from .rpc import serve_rpc
from .settings import read_settings
from .statuses import status_of

SERVICE_NAME = "cityforge"
FORECAST_PATH, SCHEMA_PATH = "/bentoml/forecast", "/schema.json"


class _Holder:
    """Holds the process's platform from start to stop."""

    def __init__(self) -> None:
        self._platform: Platform | None = None

    def get(self) -> Platform:
        """Return the platform."""
        assert self._platform is not None, "requests come after the start"  # noqa: S101
        return self._platform

    def open(self) -> None:
        """Open the platform, so that what is wrong with its store or settings is told at once."""
        self._platform = Platform(read_settings())

    @asynccontextmanager
    async def run(self, _app: Starlette) -> AsyncIterator[None]:
        """Start the platform, and stop it at the end."""
        if self._platform is None:
            self.open()
        platform = self.get()
        await platform.start()
        try:
            async with serve_rpc(platform):
                yield
        finally:
            await platform.stop()


_holder = _Holder()
_app = build_app(_holder.get, lifespan=_holder.run)
_front: dict[str, Any] = {
    "routes": _app,
    "platform": _holder.get,
    "passed": (FORECAST_PATH, NESTED_PATH, SCHEMA_PATH),
}


@bentoml.asgi_app(_app, path="/")
@bentoml.service(
    name=SERVICE_NAME,
    workers=1,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    traffic={"timeout": 3600},
)
class CityforgeService:
    """The domain's questions as BentoML methods."""

    @bentoml.api(route=FORECAST_PATH)
    async def forecast(self, sign: str, at: str | None = None, raw: bool = False) -> dict[str, Any]:
        """Forecast one sign at an event time; see `GET /forecast`."""
        with _explained():
            at_ms = None if at is None else to_ms(parse_utc(at))
            found = await forecast_signs(_holder.get(), [sign], at_ms, raw=raw)
            document = found[0]
            return document | {"values": document["values"].tolist(), "quantiles": list(document["quantiles"])}

    @bentoml.api(route=NESTED_PATH)
    async def infer(self, model: str, inputs: dict[str, Any], version: str | None = None) -> dict[str, Any]:
        """Ask a model: name → nested values for every input; ``null`` stands for a missing value."""
        with _explained():
            engine = _holder.get().engine
            signature = engine.models.find(model, version).signature
            result = await engine.infer(model, decode_inputs(inputs, signature).feeds, version)
            outputs = {name: _nested(array) for name, array in result.outputs.items()}
            return {"model": model, "version": result.model.version, "outputs": outputs}

    async def __is_alive__(self) -> bool:
        """Return whether the process can still do its work."""
        return _holder.get().is_alive()

    async def __is_ready__(self) -> bool:
        """Return whether every model answers."""
        return _holder.get().is_ready()


_service: Any = CityforgeService  # what the decorator made of the class
_service.add_asgi_middleware(Front, **_front)


def build_asgi() -> Application:
    """Return the service as an ASGI application with inference clear of BentoML's layers.

    Raises:
        FactoryError: if settings or state keep it from starting.
    """
    _holder.open()
    return Front(_service.to_asgi(is_main=True), **_front)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn our errors into BentoML's, with their status."""
    try:
        yield
    except FactoryError as exc:
        raise BentoMLException(str(exc), error_code=status_of(exc)) from exc


def _nested(array: Array) -> object:
    """Return nested lists, with None for NaN."""
    values = array.astype(object)
    if array.dtype.kind == "f":
        values[np.isnan(array)] = None
    return values.tolist()
