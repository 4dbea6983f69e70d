"""Small real things to keep: places, signs, readings, episodes, releases."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import (
    Axis,
    AxisName,
    Contribution,
    Domain,
    Episode,
    Explanation,
    Incident,
    Layer,
    Level,
    Place,
    PlaceLevel,
    Quality,
    Reading,
    ReleaseManifest,
    Sign,
    Signature,
    Status,
    Task,
    TensorSpec,
    Text,
    episode_id,
    from_ms,
    to_ms,
)

START = datetime(2022, 4, 27, 13, tzinfo=UTC)
START_MS = to_ms(START)
HOUR_MS = 3_600_000

PLACES = (
    Place(id="grid-7", name=Text(zh="七号网格", en="Grid 7"), level=PlaceLevel.GRID, parent="city"),
    Place(id="city", name=Text(zh="城市", en="City"), level=PlaceLevel.CITY),
)


def make_sign(key: str, interval_s: int = 3600) -> Sign:
    title = Text(zh="流量", en="Flow")
    return Sign(
        id=key,
        title=title,
        place="grid-7",
        unit="l/s",
        interval_s=interval_s,
        source="meter",
        domain=Domain.CONSTRUCTION,
    )


SIGNS = (make_sign("flow"), make_sign("pressure"), make_sign("quarter", 900))


def make_reading(
    value: float | None, *, hours: float = 0, sign: str = "flow", quality: Quality = Quality.GOOD
) -> Reading:
    return Reading(sign=sign, time=START + timedelta(hours=hours), value=value, quality=quality)


def make_episode(number: int = 0, **changes: Any) -> Episode:
    opened_ms = START_MS + number * HOUR_MS
    fields: dict[str, Any] = {
        "id": episode_id("burst", "grid-7", opened_ms),
        "risk": "burst",
        "title": Text(zh="爆管", en="Burst main"),
        "layer": Layer.EXPERIENCE,
        "place": "grid-7",
        "level": Level.ORANGE,
        "peak_level": Level.ORANGE,
        "opened_at": from_ms(opened_ms),
        "updated_at": from_ms(opened_ms),
        "probability": 0.1 + 0.2,
        "explanation": Explanation(
            prior=0.01,
            posterior=0.1 + 0.2,
            contributions=(
                Contribution(node="low_flow", reason=Text(zh="流量骤降", en="Flow fell"), weight=1 / 3, without=0.01),
            ),
        ),
        "signs": ("flow",),
    }
    return Episode(**{**fields, **changes})


def make_incident(number: int = 0, **changes: Any) -> Incident:
    opened_ms = START_MS + number * HOUR_MS
    fields: dict[str, Any] = {
        "id": f"in-{number}",
        "cause": "burst",
        "title": Text(zh="爆管", en="Burst main"),
        "place": "grid-7",
        "level": Level.ORANGE,
        "status": Status.OPEN,
        "opened_at": from_ms(opened_ms),
        "episodes": (episode_id("burst", "grid-7", opened_ms),),
    }
    return Incident(**{**fields, **changes})


ONNX = b"an ONNX file, as far as a store can tell"


def make_manifest(version: int = 1, name: str = "flow-ridge", content: bytes = ONNX, **changes: Any) -> ReleaseManifest:
    batch, time = Axis(name=AxisName.BATCH), Axis(name=AxisName.TIME, size=4)
    fields: dict[str, Any] = {
        "name": name,
        "version": version,
        "task": Task.FORECAST,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "signature": Signature(
            inputs=(TensorSpec(name="context", axes=(batch, time), missing=True),),
            outputs=(TensorSpec(name="quantiles", axes=(batch, time)),),
        ),
        "created_at": START,
        "metadata": {"family": "ridge", "mae_ratio": 0.1 + 0.2},
    }
    return ReleaseManifest(**{**fields, **changes})
