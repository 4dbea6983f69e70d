"""How the platform stands: how far the runtime is behind, which versions answer, and metrics for a monitor."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from contracts import format_utc
from early_warning import CLOCK_KEY
from serving.answers import answer
from serving.engine import Slot
from serving.metrics import CONTENT_TYPE
from serving.platform import Platform
from serving.settings import Role

from .table import Call, Route

_TAG = "status"


async def _status(call: Call) -> Response:
    return answer(await call.platform.ask(_read, call))


def _read(call: Call) -> dict[str, Any]:
    platform = call.platform
    store = platform.store
    shards = sorted({platform.settings.shard, *store.runtime.shards()})
    offsets = {shard: store.runtime.offset(shard) for shard in shards}
    last = store.inbox.last_sequence()  # read last: the runtime is never shown ahead of the inbox
    return {
        "ready": platform.is_ready(),
        "clock": platform.settings.clock,
        "inbox_sequence": last,
        "runtime_offset": offsets[platform.settings.shard],
        "inbox": {"last_sequence": last},
        "runtime": [_shard(platform, shard, offset, last) for shard, offset in offsets.items()],
        "models": [_describe(name, slot) | {"trial": _trial(platform, name)} for name, slot in platform.engine.models],
    }


def _shard(platform: Platform, shard: str, offset: int, last: int) -> dict[str, Any]:
    clock = platform.store.runtime.value(shard, CLOCK_KEY) or {}
    clock_ms = clock.get("clock_ms")
    return {
        "shard": shard,
        "offset": offset,
        "lag": last - offset,
        "clock_at": None if clock_ms is None else format_utc(clock_ms),
    }


def _trial(platform: Platform, name: str) -> dict[str, Any] | None:
    """Return what this process found about a challenger; None where there is none."""
    trial = platform.engine.trials.get(name)
    if trial is None:
        return None
    found = trial.total.model_dump(mode="json") | {"difference": trial.total.difference}
    return found | {"canary_share": trial.plan.canary_share, "ended": trial.ended}


def _describe(name: str, slot: Slot) -> dict[str, Any]:
    return {
        "name": name,
        "champion": None if slot.champion is None else slot.champion.version,
        "previous": None if slot.previous is None else slot.previous.version,
        "sha256": None if slot.champion is None else slot.champion.manifest.sha256,
        "failure": slot.failure,
    }


async def _metrics(call: Call) -> Response:
    return Response(call.platform.metrics.render(), media_type=CONTENT_TYPE)


ROUTES = (
    Route("GET", "/status", Role.VIEWER, _status, "How far the runtime is, and which models answer", _TAG),
    Route("GET", "/metrics", Role.VIEWER, _metrics, "Metrics in the text format of Prometheus", _TAG),
)
