"""Backtest: the same engine on the same inbox items as the runtime, without processes, clock or store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts import Episode, InboxItem, Incident, OutboxMessage
from early_warning import Outcome, WarningConfiguration, WarningEngine

from .questions import Respondent, ask


@dataclass(slots=True)
class Backtest:
    """What came of it.

    Attributes:
        episodes: by id, as they stand at the end.
        incidents: by id, as they stand at the end.
        outbox: every message in order.
        state: the engine's state at the end.
        instants: how many instants were decided.
    """

    episodes: dict[str, Episode] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    outbox: list[OutboxMessage] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    instants: int = 0

    def add(self, outcome: Outcome) -> None:
        """Take in an outcome, as a store would."""
        self.episodes |= {episode.id: episode for episode in outcome.episodes}
        self.incidents |= {incident.id: incident for incident in outcome.incidents}
        self.outbox.extend(outcome.outbox)
        for key, value in outcome.state.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value


def backtest(
    configuration: WarningConfiguration,
    items: Iterable[InboxItem],
    models: Respondent,
    state: Mapping[str, Any] | None = None,
) -> Backtest:
    """Run the engine over inbox items.

    Args:
        configuration: what the engine is told.
        items: in the order of their sequence.
        models: who forecasts, such as :class:`LocalModels`.
        state: the engine's state to go on from.
    """
    engine = WarningEngine(configuration, state)
    result = Backtest(state=dict(state or {}))
    _decide_due(engine, models, result)
    for item in items:
        engine.accept(item)
        _decide_due(engine, models, result)
    result.add(engine.settle())
    return result


def _decide_due(engine: WarningEngine, models: Respondent, result: Backtest) -> None:
    while instants := engine.due():
        for instant_ms in instants:
            result.add(engine.decide(instant_ms, ask(engine.prepare(instant_ms), models)))
            result.instants += 1
