"""Statistics of a version in the shape of the protocol's extension: counts, and nanoseconds in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.engine import Tally, Usage

_NS = 1e9


def describe_usage(name: str, version: int, usage: Usage) -> dict[str, Any]:
    """Return what a version was asked since this process opened it.

    Args:
        name: of the model.
        version: its version.
        usage: its tallies.
    """
    none = _duration(0, 0.0)
    batches = [
        {"batch_size": size, "compute_input": none, "compute_infer": _of(tally), "compute_output": none}
        for size, tally in sorted(usage.executions.items())
    ]
    return {
        "name": name,
        "version": str(version),
        "last_inference": usage.last_ms,
        "inference_count": usage.rows,
        "execution_count": sum(tally.count for tally in usage.executions.values()),
        "inference_stats": {
            "success": _of(usage.succeeded),
            "fail": _of(usage.failed),
            "queue": _duration(usage.waited.count, max(0.0, usage.waited.total_s - usage.computed.total_s)),
            "compute_input": _of(usage.decoded),
            "compute_infer": _of(usage.computed),
            "compute_output": _of(usage.encoded),
            "cache_hit": _of(usage.recalled),
            "cache_miss": _of(usage.missed),
        },
        "batch_stats": batches,
        "memory_usage": [],
    }


def _of(tally: Tally) -> dict[str, int]:
    return _duration(tally.count, tally.total_s)


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * _NS)}
