"""Incidents: episodes of one cause in one district at one time become one page."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from contracts import Episode, Incident, Level, PlaceLevel, PlaceTree, Status, from_ms, to_ms

MS = 1000
_ENDED = (Status.CLOSED, Status.DISMISSED)


@dataclass(frozen=True, slots=True)
class _Group:
    incident: Incident
    members: dict[str, tuple[Level, bool, str]]  # episode -> level, whether it is over, place
    last_ms: int

    def to_json(self) -> dict[str, Any]:
        return {
            "incident": self.incident.model_dump(mode="json"),
            "members": [[key, level.value, over, place] for key, (level, over, place) in self.members.items()],
            "last_ms": self.last_ms,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> _Group:
        members = {key: (Level(level), over, place) for key, level, over, place in state["members"]}
        return cls(Incident.model_validate(state["incident"]), members, state["last_ms"])


class Incidents:
    """The incidents that an episode may still join.

    Args:
        places: the place tree.
        window_s: how long after its last opening or end an incident takes in further episodes.
    """

    def __init__(self, places: PlaceTree, window_s: int) -> None:
        self._places = places
        self._window_ms = window_s * MS
        self._groups: dict[str, _Group] = {}
        self._of: dict[str, str] = {}
        self._changed: set[str] = set()

    def join(self, episode: Episode, cause: str) -> str:
        """Put a new episode into an incident, or open one for it; return the incident's id."""
        opened_ms = to_ms(episode.opened_at)
        for key, group in sorted(self._groups.items()):
            near = self.district(group.incident.place) == self.district(episode.place)
            recent = group.incident.status is Status.OPEN or opened_ms - group.last_ms <= self._window_ms
            if group.incident.cause == cause and near and recent:
                self._put(key, group, episode, opened_ms)
                return key
        key = "in-" + hashlib.sha256(episode.id.encode()).hexdigest()[:16]
        incident = Incident(
            id=key,
            cause=cause,
            title=episode.title,
            place=episode.place,
            level=episode.level,
            status=Status.OPEN,
            opened_at=episode.opened_at,
            episodes=(),
        )
        self._put(key, _Group(incident, {}, opened_ms), episode, opened_ms)
        return key

    def follow(self, episode: Episode, instant_ms: int) -> None:
        """Note a change of an episode in its incident."""
        key = self._of.get(episode.id)
        if key is not None:
            self._put(key, self._groups[key], episode, instant_ms)

    def _put(self, key: str, group: _Group, episode: Episode, time_ms: int) -> None:
        over = episode.status in _ENDED
        members = group.members | {episode.id: (episode.level, over, episode.place)}
        standing = [level for level, ended, _ in members.values() if not ended]
        gravest = max(standing or [group.incident.level], key=lambda level: level.rank)
        incident = group.incident.model_copy(
            update={
                "place": self._places.common_ancestor(place for _, _, place in members.values()).id,
                "level": gravest,
                "status": Status.OPEN if standing else Status.CLOSED,
                "closed_at": None if standing else from_ms(time_ms),
                "episodes": tuple(members),
            }
        )
        if incident == group.incident and members == group.members:
            return
        self._groups[key] = _Group(incident, members, max(time_ms, group.last_ms))
        self._of[episode.id] = key
        self._changed.add(key)

    def district(self, place: str) -> str:
        """Return the district that holds a place, or the place itself if it stands above districts."""
        path = self._places.path(place)
        return next((above.id for above in path if above.level is PlaceLevel.DISTRICT), place)

    def take_changes(self, instant_ms: int) -> tuple[list[Incident], dict[str, Any]]:
        """Return the incidents changed since the last call and their state; let go of those long closed."""
        changed = [self._groups[key].incident for key in sorted(self._changed)]
        state: dict[str, Any] = {key: self._groups[key].to_json() for key in sorted(self._changed)}
        for key, group in list(self._groups.items()):
            if group.incident.status is Status.CLOSED and instant_ms - group.last_ms > self._window_ms:
                del self._groups[key]
                self._of = {episode: incident for episode, incident in self._of.items() if incident != key}
                state[key] = None
        self._changed.clear()
        return changed, state

    def restore(self, key: str, state: dict[str, Any]) -> None:
        """Restore one incident's state."""
        group = _Group.from_json(state)
        self._groups[key] = group
        self._of |= dict.fromkeys(group.members, key)
