"""How good warnings were: what came true held against what was said. For backtests; the runtime does not load it."""

from __future__ import annotations

from .blocks import Interval, TimeBlocks, bootstrap
from .episodes import EpisodeCounts, EpisodeScore, Matches, count_episodes, match_episodes
from .outcomes import Event, Outcome, label_outcomes
from .probability import ProbabilityScore, score_probability
from .risks import RiskScore, ScoringPlan, ToldRisk, compare_costs, score_risk
from .value import Contingency, count_contingency, relative_value

__all__ = [
    "Contingency",
    "EpisodeCounts",
    "EpisodeScore",
    "Event",
    "Interval",
    "Matches",
    "Outcome",
    "ProbabilityScore",
    "RiskScore",
    "ScoringPlan",
    "TimeBlocks",
    "ToldRisk",
    "bootstrap",
    "compare_costs",
    "count_contingency",
    "count_episodes",
    "label_outcomes",
    "match_episodes",
    "relative_value",
    "score_probability",
    "score_risk",
]
