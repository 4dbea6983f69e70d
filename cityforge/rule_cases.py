"""Past cases from the store: what the city measured before each warning, in the words of the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from contracts import Episode, Layer, to_ms
from knowledge_graph import CompiledRules, PastCase, Rule
from store import EpisodeFilter, Store

PAGE = 1000
LOOK_BACK_MS = 72 * 3_600_000
MAXIMUM_STEPS = 2000


def cases_of_store(store: Store, rules: CompiledRules) -> list[PastCase]:
    """Return one case for each episode of a rule: readings up to its last change, and what models and people said.

    Only what was warned of is there: cases that stayed quiet need a file.
    """
    known = {rule.id: rule for rule in rules.ruleset.rules}
    return [
        _case(store, rules, known[episode.risk], episode)
        for episode in _episodes(store)
        if episode.layer is not Layer.HEALTH and episode.risk in known and episode.place in known[episode.risk].places
    ]


def _episodes(store: Store) -> Iterator[Episode]:
    after: str | None = None
    while page := store.episodes.find(EpisodeFilter(limit=PAGE, after=after)):
        yield from page
        after = page[-1].id


def _case(store: Store, rules: CompiledRules, rule: Rule, episode: Episode) -> PastCase:
    given: dict[str, Any] = {}
    signs = {name: rule.signs[episode.place, name] for name in rule.conditions if (episode.place, name) in rule.signs}
    if signs:
        intervals = {sign: rules.ruleset.signs[sign].interval_s * 1000 for sign in signs.values()}
        step_ms = min(intervals.values())
        end_ms = to_ms(_gravest(episode))
        count = min(LOOK_BACK_MS // step_ms + 1, MAXIMUM_STEPS)
        start_ms = end_ms - (count - 1) * step_ms
        for name, sign in signs.items():
            given[name] = _on_steps(store, sign, start_ms, step_ms, int(count))
        given["at"] = start_ms
    given |= _said(rule, episode)
    return PastCase(episode.id, given, rule.id, episode.place)


def _gravest(episode: Episode) -> Any:
    """Return when the episode reached its gravest level."""
    return next((step.time for step in episode.history if step.level is episode.peak_level), episode.updated_at)


def _on_steps(store: Store, sign: str, start_ms: int, step_ms: int, count: int) -> list[float | None]:
    series = store.readings.series(sign, start_ms, start_ms + (count - 1) * step_ms)
    values: list[float | None] = [None] * count
    for time_ms, value in zip(series.times_ms, series.values, strict=True):
        if not np.isnan(value):
            values[int((time_ms - start_ms) // step_ms)] = float(value)
    return values


def _said(rule: Rule, episode: Episode) -> dict[str, Any]:
    """Return what models and people said: the statements of the explanation that are no readings."""
    said: dict[str, Any] = {}
    contributions: Sequence[Any] = episode.explanation.contributions if episode.explanation is not None else ()
    for contribution in contributions:
        name = contribution.node.removeprefix(f"{rule.id}.")
        evidence = contribution.evidence
        if evidence is not None and name not in rule.conditions:
            said[name] = bool(evidence.value) if evidence.kind == "observed" else evidence.value
    return said
