"""Evidence: what forecasts and readings say about the nodes of the veterans' graph.

Missing is missing: without a reading there is no shock, without a forecast no exceedance. Exceedance, shock and drift
of one sign come from one model and one sensor; they carry one source group, and the graph counts the strongest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from contracts import Direction, Evidence, EvidenceKind
from knowledge_graph import Binding

from .anomaly import likelihood_ratio, supported_ratio
from .channel import Channel, Issued, Sighting
from .exceedance import CERTAIN, exceedance, over_horizon


def assemble(
    bindings: tuple[Binding, ...], channels: Mapping[str, Channel], issued: Mapping[str, Issued], instant_ms: int
) -> list[Evidence]:
    """Return the evidence of one place at one instant.

    Args:
        bindings: the inputs that the place's rules want computed.
        channels: memory by sign, already screened at the instant.
        issued: the instant's calibrated forecasts by sign.
        instant_ms: the instant.
    """
    found = []
    for binding in bindings:
        channel = channels.get(binding.sign)
        if channel is None:
            continue
        if binding.use == "ratio":
            statement = _brought(binding, channel, instant_ms)
        elif channel.spec is None or not channel.is_due(instant_ms):
            continue
        elif binding.use == "exceedance":
            statement = _exceedance(binding, channel, issued.get(binding.sign), instant_ms)
        else:
            statement = _anomaly(binding, channel)
        if statement is not None:
            found.append(statement)
    return found


def _brought(binding: Binding, channel: Channel, instant_ms: int) -> Evidence | None:
    """Return what a detector says: its sign's readings are natural logarithms of likelihood ratios.

    It holds until the sign's next reading is due, so that instants of quicker signs see it too.
    """
    step = instant_ms // channel.interval_ms
    told = channel.history.get(step)
    if told is None:
        return None
    bound = math.log(binding.cap)
    ratio = math.exp(min(bound, max(-bound, told)))
    return Evidence(
        node=binding.node,
        place=binding.place,
        kind=EvidenceKind.LIKELIHOOD,
        value=ratio,
        group=binding.group,
        time_ms=channel.history.time_of(step),
        sign=binding.sign,
        note=f"×{ratio:.3g}",
    )


def _anomaly(binding: Binding, channel: Channel) -> Evidence | None:
    by_p = [
        (found[binding.direction], sighting)
        for sighting in channel.sightings
        if (found := sighting.shock if binding.use == "shock" else sighting.drift)
    ]
    if not by_p:
        return None
    p, sighting = min(by_p, key=lambda pair: pair[0])
    calm = sighting.calm[binding.direction] if binding.use == "shock" else channel.scores.size
    supported = supported_ratio(calm, round(binding.horizon_s / channel.sign.interval_s))
    ratio = likelihood_ratio(p, binding.shape, min(binding.cap, supported))
    return Evidence(
        node=binding.node,
        place=binding.place,
        kind=EvidenceKind.LIKELIHOOD,
        value=ratio,
        group=binding.group,
        time_ms=sighting.time_ms,
        sign=binding.sign,
        note=_describe(sighting, channel.sign.unit, f"p = {p:.1e}, ×{ratio:.3g} (n = {calm})"),
    )


def _exceedance(binding: Binding, channel: Channel, issued: Issued | None, instant_ms: int) -> Evidence | None:
    level, spec, current = binding.level, channel.spec, channel.current
    if level is None or spec is None:
        return None
    if current is not None and _is_beyond(current.value, level, binding.direction):
        probability = CERTAIN
    elif issued is None or channel.calibration is None or channel.is_quarantined:
        return None  # what the forecast takes for granted does not hold while its newest reading is masked
    else:
        told = exceedance(
            issued.rows,
            spec.quantiles,
            channel.calibration,
            level=level,
            direction=binding.direction,
            policy=channel.policy.calibration,
        )
        probability = over_horizon(told, spec.horizon * spec.interval_s, binding.horizon_s)
    sign = "<" if binding.direction is Direction.LOW else ">"
    hours = f"{binding.horizon_s / 3600:g} h"
    return Evidence(
        node=binding.node,
        place=binding.place,
        kind=EvidenceKind.EXCEEDANCE,
        value=probability,
        group=binding.group,
        time_ms=instant_ms,
        sign=binding.sign,
        note=f"P({sign} {level:g} {channel.sign.unit}, {hours}) = {probability:.3g}",
    )


def _is_beyond(value: float, level: float, direction: Direction) -> bool:
    return value < level if direction is Direction.LOW else value > level


def _describe(sighting: Sighting, unit: str, tail: str) -> str:
    """Return value; median [lowest, highest quantile]: numbers alone, which need no language."""
    expected = ""
    if sighting.expected is not None:
        low, median, high = sighting.expected
        expected = f"{median:.2f} [{low:.2f}, {high:.2f}]; "
    return f"{sighting.value:g} {unit}; {expected}{tail}"
