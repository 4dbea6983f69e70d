"""Facts: what the temporal operators found, in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from contracts import Sign, Text

from .quantities import format_duration
from .ruleset import Condition

_WORDS = {
    "<": ("低于", "below"),
    "<=": ("不高于", "at most"),
    ">": ("高于", "above"),
    ">=": ("不低于", "at least"),
}
_SUBJECTS = {
    "rise": ("{window}内上升", "rise within {window}"),
    "drop": ("{window}内下降", "drop within {window}"),
    "night": ("夜间最小值", "night minimum"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition that was decided at one instant.

    Attributes:
        node: id in the graph.
        risk: id of the rule.
        place: id of the place.
        sign: the sign it was read from; None for a sequence.
        state: whether it holds.
        time_ms: the instant.
        since_ms: since when it holds.
        value: the compared value.
        reason: what was seen, in both languages.
        group: source group; what one group says counts once.
        law: the statutory rule that fires when it holds.
    """

    node: str
    risk: str
    place: str
    sign: str | None
    state: bool
    time_ms: int
    since_ms: int
    value: float | None
    reason: Text
    group: str
    law: str | None


def describe(condition: Condition, sign: Sign | None, *, state: bool, value: float | None, threshold: float) -> Text:
    """Say what a condition found, such as ``供水干管流量 91.3 l/s，低于 95 l/s``."""
    title = sign.title if sign is not None else Text(zh=condition.name, en=condition.name)
    zh_not, en_not = ("", "") if state else ("并非", "not ")
    if condition.transform == "stuck":
        window = format_duration(condition.window_ms)
        return Text(zh=f"{title.zh}{zh_not}已有 {window} 不变", en=f"{title.en} {en_not}unchanged for {window}")
    if condition.transform == "absent":
        window = format_duration(condition.window_ms)
        return Text(zh=f"{title.zh}{zh_not}已有 {window} 无数据", en=f"{title.en} {en_not}silent for {window}")
    if condition.transform == "sequence":
        steps = " → ".join(condition.steps)
        return Text(zh=f"{zh_not}依次出现 {steps}", en=f"{en_not}in sequence {steps}")
    if condition.transform == "every":
        steps = " + ".join(condition.steps)
        return Text(zh=f"{zh_not}同时成立：{steps}", en=f"{en_not}together: {steps}")
    zh_subject, en_subject = _SUBJECTS.get(condition.transform, ("", ""))
    window = format_duration(condition.window_ms)
    zh_word, en_word = _WORDS[condition.operator]
    shown, limit = f"{value:.4g} {condition.unit}", f"{threshold:.4g} {condition.unit}"
    zh_tail, en_tail = _tails(condition)
    return Text(
        zh=f"{title.zh}{zh_subject.format(window=window)} {shown}，{zh_not}{zh_word} {limit}{zh_tail}",
        en=f"{' '.join(filter(None, (title.en, en_subject.format(window=window))))} {shown}, "
        f"{en_not}{en_word} {limit}{en_tail}",
    )


def _tails(condition: Condition) -> tuple[str, str]:
    if condition.count:
        within = format_duration(condition.within_ms)
        return f"（{within}内达 {condition.count} 次）", f" ({condition.count} times within {within})"
    if condition.hold_ms:
        hold = format_duration(condition.hold_ms)
        return f"（持续 {hold}）", f" (for {hold})"
    return "", ""
