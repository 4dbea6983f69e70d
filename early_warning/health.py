"""Health: blind is not green. A silent source or model opens a grey episode, never a warning of its own making."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts import Layer, Level, PlaceTree, Text

from .channel import Channel
from .episodes import Ruling

STALE = "health.stale_source"
SILENT = "health.silent_model"


def judge_sources(channels: Mapping[str, Channel], standing: Iterable[str], instant_ms: int) -> list[Ruling]:
    """Return a ruling for every source and place that is blind, or was until now.

    Args:
        channels: memory by sign.
        standing: keys of the health episodes that are open.
        instant_ms: the instant.
    """
    blind: dict[tuple[str, str], list[str]] = {}
    known = set(standing)
    for channel in channels.values():
        key = (f"{STALE}.{channel.sign.source}", channel.sign.place)
        if channel.is_blind(instant_ms):
            blind.setdefault(key, []).append(channel.sign.id)
        elif "@".join(key) in known:
            blind.setdefault(key, [])
    return [_stale(risk, place, tuple(sorted(signs))) for (risk, place), signs in sorted(blind.items())]


def _stale(risk: str, place: str, signs: tuple[str, ...]) -> Ruling:
    source = risk.removeprefix(f"{STALE}.")
    return Ruling(
        risk=risk,
        place=place,
        layer=Layer.HEALTH,
        cause=risk,
        title=Text(zh=f"数据源中断：{source}", en=f"Stale source: {source}"),
        level=Level.GREY if signs else None,
        signs=signs,
        note="no usable reading" if signs else "",
    )


def judge_models(
    asked: Mapping[str, list[str]], answered: Iterable[str], channels: Mapping[str, Channel], places: PlaceTree
) -> list[Ruling]:
    """Return a ruling for every model that was asked at an instant.

    Args:
        asked: the signs that each model was asked for.
        answered: the signs that a forecast came for.
        channels: memory by sign.
        places: the place tree.
    """
    heard = set(answered)
    rulings = []
    for model, signs in sorted(asked.items()):
        missing = tuple(sorted(set(signs) - heard))
        place = places.common_ancestor(channels[sign].sign.place for sign in signs).id
        risk = f"{SILENT}.{model}"
        ruling = Ruling(
            risk=risk,
            place=place,
            layer=Layer.HEALTH,
            cause=risk,
            title=Text(zh=f"模型无应答：{model}", en=f"Silent model: {model}"),
            level=Level.GREY if missing else None,
            signs=missing,
            note="no forecast" if missing else "",
        )
        rulings.append(ruling)
    return rulings
