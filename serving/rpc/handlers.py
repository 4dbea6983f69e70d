"""What each call does; none knows how it travels. Each takes the request's message and gives the answer's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.access import Headers, Principal
from serving.errors import NotFoundError
from serving.inference import DEADLINE, PRIORITY, Asked, answer_request
from serving.model_control import check_order, index_models, load_model, unload_model
from serving.platform import Platform
from serving.protocol import MAXIMUM_BATCH, describe_model, describe_server, describe_usage, model_config
from serving.protocol.calls import decode_call, encode_reply
from serving.protocol.messages import Message
from serving.settings import Role
from serving.versions import program_version

SERVICE_UNKNOWN, SERVING, NOT_SERVING = 3, 1, 2
_URGENCY = (PRIORITY, DEADLINE)


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One call on its way to a handler.

    Attributes:
        platform: the process's state.
        request: the message that was sent.
        headers: the call's metadata, as bytes.
        principal: who asks; None on calls that are open.
        within_s: seconds after which the caller gives up; None where it did not say.
    """

    platform: Platform
    request: Message
    headers: Headers
    principal: Principal | None
    within_s: float | None


@dataclass(frozen=True, slots=True)
class Rpc:
    """One kind of call.

    Attributes:
        least: the least role that may make it; None opens it to everyone.
        handle: gives the answer, as a message or as the fields of one.
    """

    least: Role | None
    handle: Callable[[RpcCall], Awaitable[Message | Mapping[str, Any]]]


async def _live(call: RpcCall) -> Mapping[str, Any]:
    return {"live": call.platform.is_alive()}


async def _ready(call: RpcCall) -> Mapping[str, Any]:
    return {"ready": call.platform.is_ready()}


async def _model_ready(call: RpcCall) -> Mapping[str, Any]:
    try:
        ready = call.platform.engine.models.is_model_ready(call.request.name, call.request.version or None)
    except NotFoundError:
        ready = False
    return {"ready": ready}


async def _server(_call: RpcCall) -> Mapping[str, Any]:
    return describe_server(program_version())


async def _model(call: RpcCall) -> Mapping[str, Any]:
    models = call.platform.engine.models
    found = models.find(call.request.name, call.request.version or None)
    return describe_model(found.manifest, models.versions(found.name))


async def _config(call: RpcCall) -> Mapping[str, Any]:
    found = call.platform.engine.models.find(call.request.name, call.request.version or None)
    return {"config": model_config(found.manifest, MAXIMUM_BATCH)}


async def _statistics(call: RpcCall) -> Mapping[str, Any]:
    models = call.platform.engine.models
    found = models.served(call.request.name or None, call.request.version or None)
    return {"model_stats": [describe_usage(model.name, model.version, model.usage) for model in found]}


async def infer(call: RpcCall) -> Message:
    """Answer one request for inference."""
    request = call.request
    told = {name: str(value, "latin-1") for name, value in call.headers if name in _URGENCY}
    asked = Asked(request.model_name, request.model_version or None, call.headers, within_s=call.within_s)
    return await answer_request(call.platform, asked, told, lambda: decode_call(request), encode_reply)


async def _index(call: RpcCall) -> Mapping[str, Any]:
    return {"models": index_models(call.platform, ready=call.request.ready)}


async def _load(call: RpcCall) -> Mapping[str, Any]:
    check_order(call.request.parameters)
    assert call.principal is not None  # noqa: S101 - the call needs a role
    await load_model(call.platform, call.request.model_name, call.principal.name)
    return {}


async def _unload(call: RpcCall) -> Mapping[str, Any]:
    assert call.principal is not None  # noqa: S101 - the call needs a role
    await unload_model(call.platform, call.request.model_name, call.principal.name)
    return {}


async def _check(call: RpcCall) -> Mapping[str, Any]:
    """Answer gRPC's own health check: of the server for no name, else of the model of that name."""
    name = call.request.service
    if not name:
        return {"status": SERVING if call.platform.is_ready() else NOT_SERVING}
    try:
        return {"status": SERVING if call.platform.engine.models.is_model_ready(name) else NOT_SERVING}
    except NotFoundError:
        return {"status": SERVICE_UNKNOWN}


INFERENCE_CALLS: Mapping[str, Rpc] = {
    "ServerLive": Rpc(None, _live),
    "ServerReady": Rpc(None, _ready),
    "ModelReady": Rpc(None, _model_ready),
    "ServerMetadata": Rpc(Role.VIEWER, _server),
    "ModelMetadata": Rpc(Role.VIEWER, _model),
    "ModelInfer": Rpc(Role.VIEWER, infer),
    "ModelConfig": Rpc(Role.VIEWER, _config),
    "ModelStatistics": Rpc(Role.VIEWER, _statistics),
    "RepositoryIndex": Rpc(Role.VIEWER, _index),
    "RepositoryModelLoad": Rpc(Role.ENGINEER, _load),
    "RepositoryModelUnload": Rpc(Role.ENGINEER, _unload),
}
HEALTH_CALLS: Mapping[str, Rpc] = {"Check": Rpc(None, _check)}
