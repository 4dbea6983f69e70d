"""The desk: rulings and verdicts in, changes of episodes and incidents out."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

from contracts import Episode, Incident, Layer, Level, OutboxMessage, PlaceTree, Verdict

from .budget import AlarmBudget
from .episodes import MS, Record, Ruling, answer, close, message, open_episode, update
from .incidents import Incidents
from .levels import held, raised, reached
from .policy import WarningPolicy

RETIRED = "closed: the rules in force say nothing of it any more"


@dataclass(frozen=True, slots=True)
class Changes:
    """What the desk changed since it was last asked; ``state`` holds None for a key that is gone."""

    episodes: tuple[Episode, ...]
    incidents: tuple[Incident, ...]
    outbox: tuple[OutboxMessage, ...]
    state: dict[str, Any]


class Desk:
    """The episodes that are open or not yet forgotten.

    Args:
        places: the place tree.
        policy: the engine's policy.
    """

    def __init__(self, places: PlaceTree, policy: WarningPolicy) -> None:
        self._policy = policy
        self._records: dict[str, Record] = {}
        self._incidents = Incidents(places, policy.incident_s)
        self.budget = AlarmBudget(policy.budget)
        self._episodes: dict[str, Episode] = {}
        self._outbox: list[OutboxMessage] = []
        self._touched: set[str] = set()
        self._spent = False

    def open_signs(self) -> frozenset[str]:
        """Return the signs of open episodes that are warnings: calibration does not learn from them."""
        return frozenset(
            sign
            for record in self._records.values()
            if not record.is_dismissed and record.episode.layer is not Layer.HEALTH
            for sign in record.episode.signs
        )

    def level(self, key: str, probability: float, bars: dict[Level, float], doublings: int) -> Level | None:
        """Return the level of an experience risk: held if it is open, else reached over bars raised by the budget."""
        record = self._records.get(key)
        if record is None:
            return reached(probability, raised(bars, doublings))
        return held(probability, bars, record.episode.level, self._policy.release)

    def doublings(self, instant_ms: int, risk: str, place: str) -> int:
        """Return how many times the alarm budget doubles the odds of a risk's bars."""
        return self.budget.doublings(instant_ms, risk, place, self._incidents.district(place))

    def standing(self, layer: Layer) -> dict[str, Episode]:
        """Return the episodes of one layer on the desk, by the key of their rulings."""
        return {key: record.episode for key, record in self._records.items() if record.episode.layer is layer}

    def rule(self, ruling: Ruling, instant_ms: int) -> None:
        """Open, update or close the episode that a ruling is about."""
        record = self._records.get(ruling.key)
        if record is not None and record.is_dismissed and _outgrows(record, ruling):
            self._drop(ruling.key)
            record = None
        if record is None:
            if ruling.level is not None:
                self._open(ruling, instant_ms)
        elif ruling.level is None:
            self._rest(ruling, record, instant_ms)
        elif record.is_dismissed:
            self._put(ruling.key, replace(record, quiet_since_ms=None))
        else:
            self._update(ruling, record, instant_ms)

    def retire(self, ruled: Container[str], instant_ms: int) -> None:
        """End warnings that no rule is about any more: nobody would ever tell them to close.

        Args:
            ruled: keys of the rulings that the present rules can make.
            instant_ms: event time.
        """
        standing = [key for key, record in self._records.items() if record.episode.layer is not Layer.HEALTH]
        for key in standing:
            if key in ruled:
                continue
            record = self._records[key]
            if not record.is_dismissed:
                self._put(key, close(record, instant_ms, None, RETIRED), "closed")
            self._drop(key)

    def answer(self, verdict: Verdict) -> Episode | None:
        """Put a verdict on its episode; None if the episode is not open."""
        for key, record in self._records.items():
            if record.episode.id == verdict.episode and not record.is_dismissed:
                self._put(key, answered := answer(record, verdict), "answered")
                return answered.episode
        return None

    def _open(self, ruling: Ruling, instant_ms: int) -> None:
        record = open_episode(ruling, instant_ms)
        incident = self._incidents.join(record.episode, ruling.cause)
        joined = record.episode.model_copy(update={"incident": incident})
        self._put(ruling.key, replace(record, episode=joined), "opened")
        if ruling.layer is Layer.EXPERIENCE:
            district = self._incidents.district(ruling.place)
            self.budget.spend(instant_ms, ruling.risk, ruling.place, district)
            self._spent = True

    def _update(self, ruling: Ruling, record: Record, instant_ms: int) -> None:
        updated = update(record, ruling, instant_ms)
        grew = updated.episode.level.rank > record.episode.level.rank
        self._put(ruling.key, updated, "escalated" if grew else None)

    def _rest(self, ruling: Ruling, record: Record, instant_ms: int) -> None:
        if ruling.blind:
            self._put(ruling.key, replace(record, quiet_since_ms=None))
            return
        since = instant_ms if record.quiet_since_ms is None else record.quiet_since_ms
        if instant_ms - since < ruling.quiet_s * MS:
            self._put(ruling.key, replace(record, quiet_since_ms=since))
        elif record.is_dismissed:
            self._drop(ruling.key)
        else:
            self._put(ruling.key, close(record, instant_ms, ruling.probability), "closed")
            self._drop(ruling.key)

    def _put(self, key: str, record: Record, told: str | None = None) -> None:
        before = self._records.get(key)
        if before == record:
            return
        self._records[key] = record
        self._touched.add(key)
        if before is None or before.episode != record.episode:
            self._episodes[record.episode.id] = record.episode
        if told is not None:
            self._outbox.append(message(told, record.episode))

    def _drop(self, key: str) -> None:
        del self._records[key]
        self._touched.add(key)

    def take_changes(self, instant_ms: int) -> Changes:
        """Return everything changed since the last call."""
        for episode in self._episodes.values():
            self._incidents.follow(episode, instant_ms)
        incidents, groups = self._incidents.take_changes(instant_ms)
        state: dict[str, Any] = {f"incident/{key}": value for key, value in groups.items()}
        for key in sorted(self._touched):
            record = self._records.get(key)
            state[f"episode/{key}"] = None if record is None else record.to_json()
        if self._spent:
            state["budget"] = self.budget.to_json()
        changes = Changes(tuple(self._episodes.values()), tuple(incidents), tuple(self._outbox), state)
        self._episodes, self._outbox, self._touched, self._spent = {}, [], set(), False
        return changes

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state that :meth:`take_changes` gave, gathered over all calls."""
        for key in sorted(state):
            kind, _, name = key.partition("/")
            if kind == "episode":
                self._records[name] = Record.from_json(state[key])
            elif kind == "incident":
                self._incidents.restore(name, state[key])
            elif kind == "budget":
                self.budget.restore(state[key])


def _outgrows(record: Record, ruling: Ruling) -> bool:
    return ruling.level is not None and ruling.level.rank > record.episode.peak_level.rank
