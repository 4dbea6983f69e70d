"""Episodes: the life of a warning. Opened once, updated, answered, and closed after it has been quiet for long enough.

The desk holds the episodes that are open, and those that an operator dismissed until what caused them has passed, so
that the same cause does not open again at the next instant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from contracts import (
    Answer,
    Episode,
    Explanation,
    Layer,
    Level,
    OutboxMessage,
    Procedure,
    Status,
    Text,
    Transition,
    Verdict,
    episode_id,
    from_ms,
    to_ms,
)

MS = 1000
_STATUS_OF = {
    Answer.CONFIRMED: Status.CONFIRMED,
    Answer.UNKNOWN: Status.ACKNOWLEDGED,
    Answer.FALSE: Status.DISMISSED,
    Answer.BENIGN: Status.DISMISSED,
    Answer.WRONG_PLACE: Status.DISMISSED,
    Answer.DUPLICATE: Status.DISMISSED,
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an instant says of one risk at one place.

    Attributes:
        risk: id of the risk.
        place: id of the place.
        layer: which layer speaks.
        cause: what groups it with others into an incident.
        title: what is threatening, where.
        level: the level, hysteresis and budget considered; None when there is nothing to warn of.
        signs: the signs that spoke.
        quiet_s: how long there must be nothing before the episode closes.
        probability: calibrated probability; None where there is none.
        explanation: why.
        procedure: what to do.
        happened_ms: event time of a late reading that it rests on.
        note: what history should say of it.
        blind: whether its signs cannot be seen: then quiet is not believed.
    """

    risk: str
    place: str
    layer: Layer
    cause: str
    title: Text
    level: Level | None
    signs: tuple[str, ...] = ()
    quiet_s: int = 0
    probability: float | None = None
    explanation: Explanation | None = None
    procedure: Procedure | None = None
    happened_ms: int | None = None
    note: str = ""
    blind: bool = False

    @property
    def key(self) -> str:
        """One open episode has it at a time."""
        return f"{self.risk}@{self.place}"


@dataclass(frozen=True, slots=True)
class Record:
    """An episode on the desk.

    Attributes:
        episode: as it stands.
        cause: what groups it with others.
        quiet_since_ms: since when there was nothing to warn of; None while there is.
        told: the highest probability that its explanation was written for.
    """

    episode: Episode
    cause: str
    quiet_since_ms: int | None = None
    told: float = 0.0

    @property
    def is_dismissed(self) -> bool:
        """Whether an operator ended it."""
        return self.episode.status is Status.DISMISSED

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "episode": self.episode.model_dump(mode="json"),
            "cause": self.cause,
            "quiet_since_ms": self.quiet_since_ms,
            "told": self.told,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Record:
        """Restore :meth:`to_json`."""
        episode = Episode.model_validate(state["episode"])
        return cls(episode, state["cause"], state["quiet_since_ms"], state["told"])


def open_episode(ruling: Ruling, instant_ms: int) -> Record:
    """Open an episode.

    Args:
        ruling: with a level.
        instant_ms: event time of the opening.
    """
    assert ruling.level is not None  # noqa: S101 - the desk opens on a level only
    time = from_ms(instant_ms)
    opened = Episode(
        id=episode_id(ruling.risk, ruling.place, instant_ms),
        risk=ruling.risk,
        title=ruling.title,
        layer=ruling.layer,
        place=ruling.place,
        level=ruling.level,
        peak_level=ruling.level,
        opened_at=time,
        updated_at=time,
        happened_at=None if ruling.happened_ms is None else from_ms(ruling.happened_ms),
        probability=ruling.probability,
        explanation=ruling.explanation,
        procedure=ruling.procedure,
        signs=ruling.signs,
    )
    record = Record(opened, ruling.cause, told=ruling.probability or 0.0)
    return _turn(record, instant_ms, note=ruling.note or "opened")


def update(record: Record, ruling: Ruling, instant_ms: int) -> Record:
    """Bring an episode up to date with an instant that still warns of it."""
    assert ruling.level is not None  # noqa: S101 - the desk updates on a level only
    before, probability = record.episode, ruling.probability
    changes: dict[str, Any] = {"signs": tuple(sorted({*before.signs, *ruling.signs}))}
    if probability != before.probability:
        changes |= {"probability": probability, "updated_at": from_ms(instant_ms)}
    told = max(record.told, probability or 0.0)
    if ruling.level.rank > before.peak_level.rank:
        changes["peak_level"] = ruling.level
    if ruling.level.rank > before.peak_level.rank or told > record.told:
        changes |= {"explanation": ruling.explanation, "procedure": ruling.procedure}
    record = Record(before.model_copy(update=changes), record.cause, None, told)
    if ruling.level is before.level:
        return record
    note = "escalated" if ruling.level.rank > before.level.rank else "eased"
    return _turn(record, instant_ms, level=ruling.level, note=ruling.note or note)


def close(record: Record, instant_ms: int, probability: float | None, note: str = "closed") -> Record:
    """Close an episode that has been quiet for long enough, or that no rule is about any more."""
    changes = {"closed_at": from_ms(instant_ms), "probability": probability}
    closed = replace(record, episode=record.episode.model_copy(update=changes))
    return _turn(closed, instant_ms, status=Status.CLOSED, note=note)


def answer(record: Record, verdict: Verdict) -> Record:
    """Put an operator's verdict on an episode; a dismissal ends it."""
    status, time_ms = _STATUS_OF[verdict.answer], to_ms(verdict.time)
    note = f"{verdict.answer} ({verdict.operator})" + (f": {verdict.note}" if verdict.note else "")
    if status is Status.DISMISSED:
        ended = record.episode.model_copy(update={"closed_at": verdict.time})
        record = replace(record, episode=ended)
    return _turn(record, time_ms, status=status, note=note)


def _turn(
    record: Record, time_ms: int, *, status: Status | None = None, level: Level | None = None, note: str
) -> Record:
    before = record.episode
    turned = Transition(
        time=from_ms(time_ms),
        status=status or before.status,
        level=level or before.level,
        probability=before.probability,
        note=note,
    )
    changes = {
        "status": turned.status,
        "level": turned.level,
        "updated_at": turned.time,
        "history": (*before.history, turned),
    }
    return replace(record, episode=before.model_copy(update=changes))


def message(kind: str, episode: Episode) -> OutboxMessage:
    """Return the message that tells of an episode's last change; its id is the same in every replay."""
    return OutboxMessage(
        id=f"{episode.id}.{len(episode.history)}",
        kind=f"episode.{kind}",
        time_ms=to_ms(episode.updated_at),
        payload=episode.model_dump(mode="json"),
    )
