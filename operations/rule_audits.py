"""Audits: quiet cases drawn for somebody to look at. Without them rules would only ever learn from their own alarms.

A case is a rule, a place and an instant, one every horizon, at which nothing was warned of. Each is drawn with the same
probability, by a hash: the same past and seed draw the same cases, and a longer past only adds to them.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from contracts import to_ms

from .rule_judgement import RuleJudgement

_WHOLE = 2**64


@dataclass(frozen=True, slots=True)
class AuditCase:
    """One quiet case to look at: did the risk come between the instant and the end of the horizon?

    Attributes:
        risk: id of the rule.
        place: id of the place.
        time_ms: the instant.
        until_ms: end of the horizon.
        probability: what was said.
        looked: the probability with which it was drawn.
    """

    risk: str
    place: str
    time_ms: int
    until_ms: int
    probability: float
    looked: float


def draw_audits(judged: RuleJudgement, share: float, *, from_ms: int | None = None, seed: int = 0) -> list[AuditCase]:
    """Draw quiet cases, oldest first.

    Args:
        judged: the backtest that says what was quiet.
        share: probability of each.
        from_ms: leave out earlier instants.
        seed: draws other cases.
    """
    found = [
        case for risk in judged.scores for case in _quiet(judged, risk, share, from_ms) if _is_drawn(case, share, seed)
    ]
    return sorted(found, key=lambda case: (case.time_ms, case.risk, case.place))


def _quiet(judged: RuleJudgement, risk: str, share: float, from_ms: int | None) -> Iterator[AuditCase]:
    rule, times_ms = judged.rules.templates[risk].rule, judged.found.times_ms
    probability, lowest = judged.found.probability[risk], min(rule.bars.values())
    warned = _warned(judged, risk)
    first = int(times_ms[0] if from_ms is None else max(from_ms, times_ms[0]))
    last = int(times_ms[-1]) - rule.horizon_ms
    instants = -(-first // rule.horizon_ms) * rule.horizon_ms
    steps = np.searchsorted(times_ms, np.arange(instants, last + 1, rule.horizon_ms))
    for step in np.unique(steps).tolist():
        time_ms = int(times_ms[step])
        for column, place in enumerate(judged.found.places[risk]):
            told = float(probability[step, column])
            if told <= lowest and not _stands(warned.get(place, []), time_ms):
                yield AuditCase(risk, place, time_ms, time_ms + rule.horizon_ms, told, share)


def _warned(judged: RuleJudgement, risk: str) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for one in judged.found.episodes.values():
        if one.risk == risk or one.risk.startswith(f"{risk}."):
            closed_ms = int(np.iinfo(np.int64).max) if one.closed_at is None else to_ms(one.closed_at)
            found.setdefault(one.place, []).append((to_ms(one.opened_at), closed_ms))
    for spans in found.values():
        spans.sort()
    return found


def _stands(spans: list[tuple[int, int]], time_ms: int) -> bool:
    before = bisect.bisect_right(spans, time_ms, key=lambda span: span[0])
    return any(closed_ms >= time_ms for _, closed_ms in spans[:before])


def _is_drawn(case: AuditCase, share: float, seed: int) -> bool:
    text = f"{seed}\0{case.risk}\0{case.place}\0{case.time_ms}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") < share * _WHOLE
