"""Signs (城运体征): what is measured, where, how often and which direction harms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import ConfigurationError, Problem, UnknownSignError
from .places import IDENTIFIER
from .text import Text

DAY_S = 86_400


class Domain(StrEnum):
    """The four domains of city operations."""

    SAFETY = "safety"
    CONSTRUCTION = "construction"
    MARKET = "market"
    LIVELIHOOD = "livelihood"


class Direction(StrEnum):
    """Which way a value harms."""

    HIGH = "high"
    LOW = "low"
    BOTH = "both"


class Sign(BaseModel):
    """One measured quantity of the city at one place.

    Attributes:
        id: unique id, such as ``water_main.flow``.
        title: what people call it.
        place: id of the place where it is measured.
        unit: unit symbol of its values, such as ``l/s``.
        interval_s: seconds between readings.
        source: what delivers it; staleness and evidence groups are by source.
        domain: one of the four domains.
        dimension: the physical or administrative quantity, such as ``flow``.
        device: the device's own id, if any.
        harmful: which direction harms.
        minimum: the lowest value that is possible at all; below it a reading is refused.
        maximum: the highest value that is possible at all.
        lateness_s: how long after its event time a reading may still arrive in order.
        stale_after_s: silence after which the source counts as blind; default three intervals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=IDENTIFIER)
    title: Text
    place: str = Field(pattern=IDENTIFIER)
    unit: str = Field(max_length=32)
    interval_s: int = Field(gt=0, le=31 * DAY_S)
    source: str = Field(pattern=IDENTIFIER)
    domain: Domain
    dimension: str = Field(default="", max_length=64)
    device: str | None = Field(default=None, max_length=128)
    harmful: Direction = Direction.BOTH
    minimum: float | None = Field(default=None, allow_inf_nan=False)
    maximum: float | None = Field(default=None, allow_inf_nan=False)
    lateness_s: int = Field(default=0, ge=0, le=31 * DAY_S)
    stale_after_s: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check_range(self) -> Sign:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            message = f"minimum {self.minimum} is not below maximum {self.maximum}"
            raise ValueError(message)
        return self

    @property
    def blind_after_s(self) -> int:
        """Seconds of silence after which the source counts as blind."""
        return self.stale_after_s if self.stale_after_s is not None else 3 * self.interval_s


class SignCatalogue:
    """All signs of a district by id.

    Raises:
        ConfigurationError: listing every id that stands twice.
    """

    def __init__(self, signs: Iterable[Sign]) -> None:
        self._signs: dict[str, Sign] = {}
        problems = []
        for sign in signs:
            if sign.id in self._signs:
                problems.append(Problem(sign.id, "the id stands twice.", "Give each sign an id of its own."))
            self._signs[sign.id] = sign
        if problems:
            title = "The sign catalogue"
            raise ConfigurationError(title, problems)

    def __len__(self) -> int:
        """Return the number of signs."""
        return len(self._signs)

    def __iter__(self) -> Iterator[Sign]:
        """Iterate over the signs in the order given."""
        return iter(self._signs.values())

    def __contains__(self, sign_id: object) -> bool:
        """Return whether a sign of that id is known."""
        return sign_id in self._signs

    def __getitem__(self, sign_id: str) -> Sign:
        """Return a sign by id.

        Raises:
            UnknownSignError: if the catalogue does not hold it.
        """
        try:
            return self._signs[sign_id]
        except KeyError:
            known = ", ".join(sorted(self._signs)[:5])
            more = ", ..." if len(self) > 5 else ""  # noqa: PLR2004 - a short list in a message
            message = (
                f"Unknown sign {sign_id!r}. Known signs ({len(self)}): {known}{more}. "
                "Import it with `cityforge signs import FILE.csv`."
            )
            raise UnknownSignError(message) from None
