"""The Open Inference Protocol over HTTP."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from serving.answers import JSON, OCTETS, answer
from serving.inference import Asked, run_inference
from serving.model_control import check_order, index_models, load_model, unload_model
from serving.protocol import HEADER_LENGTH, MAXIMUM_BATCH, describe_model, describe_server, describe_usage, model_config
from serving.settings import Role
from serving.versions import program_version

from .table import Call, Handler, Route

_TAG = "open inference protocol"
_MODEL = "/v2/models/{name}"
_VERSION = _MODEL + "/versions/{version}"
_REPOSITORY = "/v2/repository/models/{name}"


class Tensor(BaseModel):
    """One tensor.

    Attributes:
        name: of the tensor.
        shape: lengths of its axes.
        datatype: such as ``FP32``.
        data: values, flat or nested; ``null`` stands for a missing one. Left out where raw bytes follow.
        parameters: such as ``binary_data_size``.
    """

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class WantedOutput(BaseModel):
    """An output that is wanted.

    Attributes:
        name: of the tensor.
        parameters: such as ``binary_data``.
    """

    name: str
    parameters: dict[str, Any] = {}


class IndexBody(BaseModel):
    """Which models to list.

    Attributes:
        ready: only those that answer.
    """

    ready: bool = False


class OrderBody(BaseModel):
    """An order to load or unload a model.

    Attributes:
        parameters: ``unload_dependents`` changes nothing, since no model depends on another; ``config`` and files
            are refused.
    """

    parameters: dict[str, Any] = {}


class InferenceBody(BaseModel):
    """An inference request; published here, decoded by the protocol itself.

    Attributes:
        id: repeated in the answer.
        inputs: every input of the model.
        outputs: those that are wanted; all where left out.
        parameters: such as ``binary_data_output``.
    """

    id: str | None = None
    inputs: list[Tensor]
    outputs: list[WantedOutput] = []
    parameters: dict[str, Any] = {}


async def _server(_call: Call) -> Response:
    return answer(describe_server(program_version()))


async def _model(call: Call) -> Response:
    models = call.platform.engine.models
    found = models.find(call.path["name"], call.path.get("version"))
    return answer(describe_model(found.manifest, models.versions(found.name)))


async def _config(call: Call) -> Response:
    found = call.platform.engine.models.find(call.path["name"], call.path.get("version"))
    return answer(model_config(found.manifest, MAXIMUM_BATCH))


async def _statistics(call: Call) -> Response:
    found = call.platform.engine.models.served(call.path.get("name"), call.path.get("version"))
    return answer({"model_stats": [describe_usage(model.name, model.version, model.usage) for model in found]})


async def _index(call: Call) -> Response:
    wanted = await call.optional_json(IndexBody)
    return answer(index_models(call.platform, ready=wanted.ready))


async def _load(call: Call) -> Response:
    check_order((await call.optional_json(OrderBody)).parameters)
    assert call.principal is not None  # noqa: S101 - the route needs a role
    await load_model(call.platform, call.path["name"], call.principal.name)
    return answer({})


async def _unload(call: Call) -> Response:
    await call.optional_json(OrderBody)
    assert call.principal is not None  # noqa: S101 - the route needs a role
    await unload_model(call.platform, call.path["name"], call.principal.name)
    return answer({})


async def _model_ready(call: Call) -> Response:
    name = call.path["name"]
    ready = call.platform.engine.models.is_model_ready(name, call.path.get("version"))
    return answer({"name": name, "ready": ready}, 200 if ready else 503)


async def _infer(call: Call) -> Response:
    body = await call.body()
    asked = Asked(call.path["name"], call.path.get("version"), call.request.scope["headers"])
    content, length = await run_inference(call.platform, asked, body)
    if length is None:
        return Response(content, media_type=JSON)
    return Response(content, media_type=OCTETS, headers={HEADER_LENGTH: str(length)})


def _both(suffix: str, handle: Handler, summary: str, least: Role | None = Role.VIEWER) -> list[Route]:
    return [Route("GET", path + suffix, least, handle, summary, _TAG) for path in (_MODEL, _VERSION)]


def _optional(path: str, least: Role, handle: Handler, summary: str, body: type[BaseModel]) -> Route:
    return Route("POST", path, least, handle, summary, _TAG, body=body, body_required=False)


ROUTES = (
    Route("GET", "/v2", Role.VIEWER, _server, "What the server is", _TAG),
    Route("GET", "/v2/models/stats", Role.VIEWER, _statistics, "Statistics of all models", _TAG),
    *_both("", _model, "What a model takes and gives"),
    *_both("/config", _config, "A model's configuration"),
    *(
        Route("POST", path + "/infer", Role.VIEWER, _infer, "Ask a model", _TAG, body=InferenceBody)
        for path in (_MODEL, _VERSION)
    ),
    *_both("/ready", _model_ready, "Whether a model answers", None),
    *_both("/stats", _statistics, "Statistics of a model"),
    _optional("/v2/repository/index", Role.VIEWER, _index, "List models and their states", IndexBody),
    _optional(_REPOSITORY + "/load", Role.ENGINEER, _load, "Put a model into service", OrderBody),
    _optional(_REPOSITORY + "/unload", Role.ENGINEER, _unload, "Take a model out of service", OrderBody),
)
