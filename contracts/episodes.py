"""Episodes, incidents and verdicts: what a warning is from its opening to an operator's answer."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from .clock import UtcTime
from .evidence import Evidence
from .text import Text


class Level(StrEnum):
    """How grave a warning is. Grey is "blind": not green, not a warning, but never silent."""

    GREY = "grey"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for grey up to 4 for red."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(Level)}


class Layer(StrEnum):
    """Which layer opened an episode."""

    STATUTORY = "statutory"
    EXPERIENCE = "experience"
    HEALTH = "health"
    """The platform's own: a stale source, a silent model. Always grey."""


class Status(StrEnum):
    """Where an episode stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    CLOSED = "closed"


class Contribution(BaseModel):
    """One line of an explanation: how much a statement moved the log-odds of the risk.

    Attributes:
        node: the graph's node.
        reason: what was seen, in both languages.
        weight: change in natural log-odds; all weights and the prior sum to the posterior.
        without: probability of the risk if this statement were left out.
        evidence: the statement itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str
    reason: Text
    weight: float
    without: float = Field(ge=0, le=1)
    evidence: Evidence | None = None


class Explanation(BaseModel):
    """Why a risk is as likely as it is: prior log-odds plus weights equal posterior log-odds.

    Attributes:
        prior: probability before any evidence.
        posterior: probability after all of it.
        contributions: ordered statements with their weights.
        counterfactual: the smallest change that would have kept the warning away.
        trace: rule steps that fired, for the statutory layer and for doctors of rules.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prior: float = Field(ge=0, le=1)
    posterior: float = Field(ge=0, le=1)
    contributions: tuple[Contribution, ...] = ()
    counterfactual: Text | None = None
    trace: tuple[str, ...] = ()


class Procedure(BaseModel):
    """What to do and who leads.

    Attributes:
        id: such as ``SOP-WM-01``.
        title: its name.
        steps: in order.
        lead: the department that leads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: Text
    steps: tuple[Text, ...]
    lead: Text


class Transition(BaseModel):
    """One change in the life of an episode.

    Attributes:
        time: event time of the change.
        status: status from then on.
        level: level from then on.
        probability: probability at that time; None when unknown.
        note: why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: UtcTime
    status: Status
    level: Level
    probability: float | None = Field(default=None, ge=0, le=1)
    note: str = ""


class Episode(BaseModel):
    """One warning at one place.

    Attributes:
        id: made by :func:`episode_id`, the same in every replay.
        risk: id of the risk.
        title: what is threatening, where.
        layer: which layer opened it.
        place: id of the place.
        level: the present level.
        peak_level: the gravest level it reached.
        status: where it stands.
        opened_at: event time of its opening.
        updated_at: event time of its last change.
        closed_at: event time of its closing.
        happened_at: set when the cause lies before the opening (a late warning says so).
        probability: calibrated probability; None for statutory and health episodes.
        explanation: why.
        procedure: what to do, who leads; None for health episodes.
        signs: the signs that spoke.
        incident: id of the incident it belongs to.
        history: every change, oldest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    risk: str
    title: Text
    layer: Layer
    place: str
    level: Level
    peak_level: Level
    status: Status = Status.OPEN
    opened_at: UtcTime
    updated_at: UtcTime
    closed_at: UtcTime | None = None
    happened_at: UtcTime | None = None
    probability: float | None = Field(default=None, ge=0, le=1)
    explanation: Explanation | None = None
    procedure: Procedure | None = None
    signs: tuple[str, ...] = ()
    incident: str | None = None
    history: tuple[Transition, ...] = ()


class Incident(BaseModel):
    """Episodes of one cause: one page with its children.

    Attributes:
        id: made from its first episode.
        cause: id of the shared cause (the risk, where no wider cause is known).
        title: in both languages.
        place: lowest place that holds all its episodes.
        level: the gravest present level of its episodes.
        status: open while one of its episodes is.
        opened_at: event time of the first opening.
        closed_at: event time of the last closing.
        episodes: ids of its episodes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    cause: str
    title: Text
    place: str
    level: Level
    status: Status
    opened_at: UtcTime
    closed_at: UtcTime | None = None
    episodes: tuple[str, ...]


class Answer(StrEnum):
    """What an operator found."""

    CONFIRMED = "confirmed"
    FALSE = "false"
    BENIGN = "benign"
    WRONG_PLACE = "wrong_place"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


class Verdict(BaseModel):
    """An operator's answer to an episode.

    Attributes:
        episode: id of the episode.
        answer: what was found.
        operator: who answers (the name of the API key).
        time: when it was given.
        note: free text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    episode: str
    answer: Answer
    operator: str = Field(max_length=128)
    time: UtcTime
    note: str = Field(default="", max_length=4000)


def episode_id(risk: str, place: str, opened_ms: int) -> str:
    """Return the id of an episode: the same risk, place and opening give the same id in every replay."""
    digest = hashlib.sha256(f"{risk}\0{place}\0{opened_ms}".encode()).hexdigest()
    return f"ep-{digest[:16]}"
