"""One risk of a backtest, scored whole: episodes, probabilities, value at every level, month by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import Episode, Level

from .blocks import Interval, TimeBlocks, bootstrap
from .episodes import HOUR_MS, EpisodeScore, count_episodes, match_episodes, months_of, summarise
from .outcomes import Event, label_outcomes
from .probability import ProbabilityScore, score_probability
from .value import count_contingency, expense, relative_value

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """How a past is judged.

    Attributes:
        from_ms: instants before it only warm up; None for none.
        block_days: length of the blocks that intervals are drawn from; longer than any storm.
        operators: on duty at any time.
    """

    from_ms: int | None = None
    block_days: int = 7
    operators: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ToldRisk:
    """What a rule said over a past.

    Attributes:
        risk: id of the rule.
        places: of the rule.
        probability: of an onset within the horizon, NaN where nothing was said, shape ``(time, places)``.
        episodes: of the risk.
        bars: level → cost / loss.
        horizon_ms: of the probabilities.
    """

    risk: str
    places: Sequence[str]
    probability: NDArray[np.float32]
    episodes: Sequence[Episode]
    bars: Mapping[Level, float]
    horizon_ms: int


@dataclass(frozen=True, slots=True)
class RiskScore:
    """Figures of one risk.

    Attributes:
        risk: id of the rule.
        episodes: of warnings.
        probability: of the probabilities; None without an onset.
        value: level → relative economic value at its cost/loss.
        lift: how many times likelier the event is on or ahead while the lowest level is reached than at any time.
        months: local figures by month, ``YYYY-MM`` → events, episodes, hits and false alarms: rules are fixed
            beforehand, so each month is an origin of its own.
    """

    risk: str
    episodes: EpisodeScore
    probability: ProbabilityScore | None
    value: Mapping[Level, Interval]
    lift: float | None
    months: Mapping[str, Mapping[str, int]]


def score_risk(
    told: ToldRisk, times_ms: NDArray[np.int64], events: Sequence[Event] | None, plan: ScoringPlan
) -> RiskScore:
    """Score one risk.

    Args:
        told: what its rule said.
        times_ms: instants, rising, shape ``(time,)``.
        events: of the risk, those outside the judged past are left out; None where nobody knows the truth.
        plan: how.

    Raises:
        DataError: if an event is at an unknown place.
    """
    probability, horizon_ms = told.probability, told.horizon_ms
    first = 0 if plan.from_ms is None else int(np.searchsorted(times_ms, plan.from_ms))
    times_ms, probability = times_ms[first:], probability[first:]
    blocks = TimeBlocks.over(times_ms, plan.block_days)
    hours = max(1.0, (int(times_ms[-1]) - int(times_ms[0])) / HOUR_MS)
    if events is None:
        matches = match_episodes(told.episodes, [], horizon_ms)
        blind = summarise(count_episodes(matches, blocks), hours=hours, operators=plan.operators, known=False)
        return RiskScore(told.risk, blind, None, {}, None, months_of(matches))
    events = [event for event in events if times_ms[0] < event.start_ms <= times_ms[-1]]
    outcome = label_outcomes(times_ms, told.places, events, horizon_ms)
    matches = match_episodes(told.episodes, events, horizon_ms)
    counts = count_episodes(matches, blocks)
    number = blocks.of(times_ms)
    value, lift = {}, None
    for level, bar in sorted(told.bars.items(), key=lambda item: item[1]):
        with np.errstate(invalid="ignore"):
            acted = probability > bar
        sums = count_contingency(acted, outcome, number, blocks.count).sums
        value[level] = bootstrap(sums, lambda drawn, bar=bar: relative_value(drawn, bar))  # type: ignore[misc]
        lift = _lift(sums) if len(value) == 1 else lift
    return RiskScore(
        risk=told.risk,
        episodes=summarise(counts, hours=hours, operators=plan.operators),
        probability=score_probability(probability, outcome),
        value=value,
        lift=lift,
        months=months_of(matches),
    )


def compare_costs(
    pair: tuple[NDArray[np.float32], NDArray[np.float32]],
    *,
    times_ms: NDArray[np.int64],
    outcome: NDArray[np.int8],
    ratio: float,
    plan: ScoringPlan,
) -> Interval:
    """Return what the second of two rules would have cost more than the first, per case and in losses.

    Args:
        pair: probabilities of the standing rule and of the one proposed, each of shape ``(time, places)``.
        times_ms: instants, shape ``(time,)``.
        outcome: of :func:`label_outcomes`, by the standing rule's horizon.
        ratio: the standing rule's lowest cost / loss.
        plan: how.
    """
    first = 0 if plan.from_ms is None else int(np.searchsorted(times_ms, plan.from_ms))
    blocks = TimeBlocks.over(times_ms[first:], plan.block_days)
    number = blocks.of(times_ms[first:])
    with np.errstate(invalid="ignore"):
        both = [count_contingency(one[first:] > ratio, outcome[first:], number, blocks.count).sums for one in pair]
    return bootstrap(np.hstack(both), lambda drawn: expense(drawn[:, 4:], ratio) - expense(drawn[:, :4], ratio))


def _lift(sums: Floats) -> float | None:
    hits, false, misses, _ = sums.sum(axis=0)
    if not hits + false or not hits + misses:
        return None
    return float(hits / (hits + false) / ((hits + misses) / sums.sum()))
