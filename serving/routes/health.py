"""Whether the process lives and can do its work: for probes, open to everyone."""

from __future__ import annotations

from starlette.responses import Response

from serving.answers import answer

from .table import Call, Route

_TAG = "health"


async def _live(call: Call) -> Response:
    alive = call.platform.is_alive()
    return answer({"live": alive}, 200 if alive else 503)


async def _ready(call: Call) -> Response:
    ready = call.platform.is_ready()
    return answer({"ready": ready}, 200 if ready else 503)


_YES_NO = {200: "Yes.", 503: "No."}
ROUTES = (
    Route("GET", "/livez", None, _live, "Whether the process lives", _TAG, answers=_YES_NO),
    Route("GET", "/readyz", None, _ready, "Whether every model answers", _TAG, answers=_YES_NO),
    Route("GET", "/v2/health/live", None, _live, "Whether the server lives", _TAG, answers=_YES_NO),
    Route("GET", "/v2/health/ready", None, _ready, "Whether every model answers", _TAG, answers=_YES_NO),
)
