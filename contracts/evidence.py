"""Evidence: a statement about a node of the graph, with its strength, source group and time."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .places import IDENTIFIER


class EvidenceKind(StrEnum):
    """How a statement bears on its node."""

    EXCEEDANCE = "exceedance"
    """A probability in [0, 1]: sets the prior of a root."""
    LIKELIHOOD = "likelihood"
    """A likelihood ratio P(seen | true) / P(seen | false), positive."""
    OBSERVED = "observed"
    """1 or 0: the node was seen to be true or false."""


class Evidence(BaseModel):
    """One statement about one node at one place. Missing evidence is no evidence: it is left out.

    Attributes:
        node: id of the graph's node.
        place: id of the place.
        kind: how the value is meant.
        value: probability, likelihood ratio, or 0/1, by kind.
        group: source group; what one group says counts once.
        time_ms: event time of the statement.
        sign: the sign it came from, if one did.
        note: what was seen, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str = Field(pattern=IDENTIFIER)
    place: str = Field(pattern=IDENTIFIER)
    kind: EvidenceKind
    value: float = Field(ge=0, allow_inf_nan=False)
    group: str = Field(min_length=1, max_length=128)
    time_ms: int
    sign: str | None = None
    note: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _check_value(self) -> Evidence:
        allowed = {
            EvidenceKind.EXCEEDANCE: self.value <= 1,
            EvidenceKind.LIKELIHOOD: self.value > 0,
            EvidenceKind.OBSERVED: self.value in (0.0, 1.0),
        }
        if not allowed[self.kind]:
            message = f"{self.kind} evidence cannot have the value {self.value}"
            raise ValueError(message)
        return self
