"""A rule set judged by its past: what it would have opened, how good that was, and what another would have cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from contracts import ConfigurationError, PlaceTree, Problem, UtcTime, read_rows, to_ms
from early_warning import WarningPolicy
from early_warning.scoring import (
    Event,
    Interval,
    RiskScore,
    ScoringPlan,
    ToldRisk,
    compare_costs,
    label_outcomes,
    score_risk,
)
from knowledge_graph import CompiledRules

from .rule_backtest import Past, RuleBacktest, backtest_rules


@dataclass(frozen=True, slots=True)
class RuleJudgement:
    """What came of a backtest.

    Attributes:
        rules: what was tested.
        found: its probabilities, episodes and incidents.
        scores: risk → its figures.
    """

    rules: CompiledRules
    found: RuleBacktest
    scores: Mapping[str, RiskScore]


@dataclass(frozen=True, slots=True)
class RiskChange:
    """What another version of a rule changes.

    Attributes:
        risk: id of the rule.
        cost: what the new one costs more per case, in losses, by the old one's horizon and lowest cost / loss; not
            known without events.
        cases: instants and places that both judge.
        changed: of these, how many reach another level.
        episodes_before: opened by the old one.
        episodes_after: opened by the new one.
        same: opened by both at the same place and instant.
    """

    risk: str
    cost: Interval
    cases: int
    changed: int
    episodes_before: int
    episodes_after: int
    same: int


class _EventRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    risk: str
    place: str
    start: UtcTime
    end: UtcTime


def read_events(path: Path, rules: CompiledRules) -> list[Event]:
    """Read what really happened: a CSV with the columns risk, place, start and end.

    Raises:
        ConfigurationError: listing every row that is wrong, or that no rule is about.
    """
    problems: list[Problem] = []
    rows = read_rows(path, _EventRow.model_validate, problems)
    for number, row in enumerate(rows, start=2):
        template = rules.templates.get(row.risk)
        where = f"{path.name}:{number}"
        if template is None:
            known = ", ".join(rules.templates)
            problems.append(Problem(where, f"no rule is about {row.risk!r}.", f"Give one of {known}."))
        elif row.place not in template.rule.places:
            problems.append(Problem(where, f"{row.risk!r} does not apply to {row.place!r}.", "Name a place it has."))
        elif row.end < row.start:
            problems.append(Problem(where, "the event ends before it starts.", "Give start and end in order."))
    if problems:
        title = f"The events {path}"
        raise ConfigurationError(title, problems)
    return [Event(row.risk, row.place, to_ms(row.start), to_ms(row.end)) for row in rows]


def judge_rules(
    rules: CompiledRules,
    places: PlaceTree,
    past: Past,
    events: Sequence[Event] | None,
    *,
    policy: WarningPolicy | None = None,
    plan: ScoringPlan | None = None,
) -> RuleJudgement:
    """Backtest a rule set and score every risk of it.

    Args:
        rules: compiled.
        places: the place tree.
        past: what was known.
        events: what really happened, those of other rule sets are passed over; None where nobody knows.
        policy: the engine's choices.
        plan: how to score.

    Raises:
        KnowledgeError: if a rule cannot be swept, or evidence contradicts itself.
        DataError: if an event is at a place without the rule.
    """
    chosen = plan or ScoringPlan()
    found = backtest_rules(rules, places, past, policy, decide_from_ms=chosen.from_ms)
    scores = {}
    for risk, template in rules.templates.items():
        told = ToldRisk(
            risk=risk,
            places=found.places[risk],
            probability=found.probability[risk],
            episodes=[episode for episode in found.episodes.values() if episode.risk == risk],
            bars=template.rule.bars,
            horizon_ms=template.rule.horizon_ms,
        )
        own = None if events is None else [event for event in events if event.risk == risk]
        scores[risk] = score_risk(told, past.times_ms, own, chosen)
    return RuleJudgement(rules, found, scores)


def compare_rules(
    before: RuleJudgement, after: RuleJudgement, events: Sequence[Event], plan: ScoringPlan | None = None
) -> dict[str, RiskChange]:
    """Hold two rule sets side by side on one past, risk by risk, where both have the risk.

    The old rule's horizon, places and lowest bar judge both, so that a new one cannot move the goal.
    """
    chosen = plan or ScoringPlan()
    return {
        risk: _compare(risk, before, after, [event for event in events if event.risk == risk], chosen)
        for risk in before.scores
        if risk in after.scores
    }


def extra_costs(
    before: RuleJudgement | None, after: RuleJudgement, events: Sequence[Event], plan: ScoringPlan | None = None
) -> dict[str, Interval]:
    """Return what other rules would have cost more per case, in losses, for every risk that has events.

    A rule set that lacks a risk never acts on it; with nothing standing yet, silence is what is compared with.
    """
    chosen, found = plan or ScoringPlan(), {}
    for risk in dict.fromkeys(event.risk for event in events):
        own = [event for event in events if event.risk == risk]
        keeper = before if before is not None and risk in before.scores else after
        rule, places = keeper.rules.templates[risk].rule, keeper.found.places[risk]
        times_ms = after.found.times_ms
        outcome = label_outcomes(times_ms, places, [one for one in own if one.place in set(places)], rule.horizon_ms)
        pair = (_told(before, risk, places, outcome.shape), _told(after, risk, places, outcome.shape))
        bar = min(rule.bars.values())
        found[risk] = compare_costs(pair, times_ms=times_ms, outcome=outcome, ratio=bar, plan=chosen)
    return found


def _told(
    judged: RuleJudgement | None, risk: str, places: Sequence[str], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    told = np.zeros(shape, np.float32)
    if judged is not None and risk in judged.scores:
        index = {place: column for column, place in enumerate(judged.found.places[risk])}
        for column, place in enumerate(places):
            if place in index:
                told[:, column] = judged.found.probability[risk][:, index[place]]
    return told


def _compare(
    risk: str, before: RuleJudgement, after: RuleJudgement, events: Sequence[Event], plan: ScoringPlan
) -> RiskChange:
    times_ms = before.found.times_ms
    shared = [place for place in before.found.places[risk] if place in set(after.found.places[risk])]
    old, new = (_columns(one, risk, shared) for one in (before, after))
    rule = before.rules.templates[risk].rule
    outcome = label_outcomes(
        times_ms, shared, [event for event in events if event.place in set(shared)], rule.horizon_ms
    )
    cost = Interval(None, None, None)
    if events:
        bar = min(rule.bars.values())
        cost = compare_costs((old, new), times_ms=times_ms, outcome=outcome, ratio=bar, plan=plan)
    both = np.isfinite(old) & np.isfinite(new)
    level = [_level(array, judged, risk) for array, judged in ((old, before), (new, after))]
    openings = [_openings(one, risk) for one in (before, after)]
    return RiskChange(
        risk=risk,
        cost=cost,
        cases=int(both.sum()),
        changed=int(((level[0] != level[1]) & both).sum()),
        episodes_before=len(openings[0]),
        episodes_after=len(openings[1]),
        same=len(openings[0] & openings[1]),
    )


def _columns(judged: RuleJudgement, risk: str, places: Iterable[str]) -> NDArray[np.float32]:
    index = {place: column for column, place in enumerate(judged.found.places[risk])}
    return judged.found.probability[risk][:, [index[place] for place in places]]


def _level(probability: NDArray[np.float32], judged: RuleJudgement, risk: str) -> NDArray[np.int8]:
    """Return the rank of the level that each case reaches, 0 for none."""
    rank = np.zeros(probability.shape, np.int8)
    with np.errstate(invalid="ignore"):
        for level, bar in judged.rules.templates[risk].rule.bars.items():
            rank = np.where(probability > bar, np.int8(level.rank), rank)
    return rank


def _openings(judged: RuleJudgement, risk: str) -> set[tuple[str, Any]]:
    return {(one.place, one.opened_at) for one in judged.found.episodes.values() if one.risk == risk}
