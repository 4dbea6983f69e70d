"""The words of a rule file: what a veteran writes, checked for shape alone (meaning is checked by ``checks``).

The JSON Schema that editors complete from is made of these classes.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints, model_validator

from contracts import IDENTIFIER, Direction, Level, Text

NAME = r"^[A-Za-z][A-Za-z0-9_]{0,47}$"
COMPARISONS = ("<", "<=", ">", ">=")
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"
_SEASON = r"^[0-1][0-9]-[0-3][0-9]\.\.[0-1][0-9]-[0-3][0-9]$"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _both_languages(value: Any) -> Any:
    return {"zh": value, "en": value} if isinstance(value, str) else value


Name = Annotated[str, StringConstraints(pattern=NAME)]
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
Quantity = str | Annotated[float, Strict()]
Phrase = Annotated[Text, BeforeValidator(_both_languages, json_schema_input_type=str | Text)]
"""A text in both languages, or one word that serves for both, such as a department's name."""


class Status(StrEnum):
    """Where a rule stands. Only trial and active rules are evaluated."""

    DRAFT = "draft"
    TRIAL = "trial"
    ACTIVE = "active"
    RETIRED = "retired"


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Frequency(_Words):
    """A veteran's answer: of ten such cases, how many? Also the Beta pseudo-counts that learning starts from.

    Attributes:
        yes: in how many it was so.
        of: of how many.
        basis: the citation of the number, or ``E`` for a starting value that veterans correct.
    """

    yes: float = Field(ge=0)
    of: float = Field(gt=0, le=1e9)
    basis: str = Field(default="E", max_length=300)

    @model_validator(mode="after")
    def _check_share(self) -> Frequency:
        if self.yes > self.of:
            message = f"{self.yes:g} of {self.of:g} is more than all"
            raise ValueError(message)
        return self

    @property
    def rate(self) -> float:
        """The share, within [0, 1]."""
        return self.yes / self.of


class SignWords(_Words):
    """One entry under ``signs``: a condition over readings, or evidence that a model brings.

    Attributes:
        source: id of a sign, or a dimension that each place has its own sign of.
        below: true when the value is less than this.
        at_most: true when the value is at most this.
        above: true when the value is more than this.
        at_least: true when the value is at least this.
        clear: once true, stays true until the value passes this (hysteresis).
        holds: true only after it has been so for this long (``for``).
        count: true when so many readings within ``within`` were so.
        within: the window of ``count``, and the longest time a ``sequence`` may take.
        rise_per: compare the rise over this time instead of the value.
        drop_per: compare the drop over this time instead of the value.
        night: compare the minimum of this local time of day, such as ``01:00-05:00``, each time it is over.
        stuck: true when the value has not changed for this long.
        tolerance: how far a stuck value may wander.
        absent: true when nothing usable came for this long.
        sequence: names of other entries that must come true in this order.
        every: names of other entries that must hold together (``all``).
        unless: names of other entries none of which may hold; only with ``all``.
        season: only between these days of the year, such as ``06-01..09-30``.
        hours: only at this local time of day.
        use: what a model brings: ``prior`` (a forecast's exceedance), ``shock`` or ``drift`` (an anomaly's likelihood
            ratio), ``ratio`` (a detector's).
        at: the level whose exceedance is forecast.
        direction: which way a model's evidence harms; default the sign's own.
        horizon: how far ahead the forecast counts; default the rule's.
        shape: of the calibrator from an anomaly's p-value to a likelihood ratio.
        cap: the largest likelihood ratio that the model may bring.
        lr: ``calibrated``: the source brings a likelihood ratio; the same as ``use: ratio``.
        of: which node it tells about; default the risk.
        seen: of ten such events, how often is this seen?
        otherwise: without the event, how often is it seen all the same?
        prior: how often it is so when nothing is known (for a cause or an inhibitor).
        law: the statutory rule that fires whenever this is true.
        group: source group; what one group says counts once. Default the sign's id.
        reason: what to tell people; may hold ``<value>``.
        basis: citation of its threshold, or ``E``.
    """

    source: Identifier | None = None
    rise_per: str | None = None
    drop_per: str | None = None
    night: Annotated[str, StringConstraints(pattern=_CLOCK)] | None = None
    stuck: str | None = None
    tolerance: Quantity = 0.0
    absent: str | None = None
    sequence: tuple[Name, ...] | None = Field(default=None, min_length=2, max_length=8)
    every: tuple[Name, ...] | None = Field(default=None, alias="all", min_length=1, max_length=64)
    unless: tuple[Name, ...] = Field(default=(), max_length=64)
    below: Quantity | None = Field(default=None, alias="<")
    at_most: Quantity | None = Field(default=None, alias="<=")
    above: Quantity | None = Field(default=None, alias=">")
    at_least: Quantity | None = Field(default=None, alias=">=")
    clear: Quantity | None = None
    holds: str | None = Field(default=None, alias="for")
    count: int | None = Field(default=None, ge=1, le=10_000)
    within: str | None = None
    season: Annotated[str, StringConstraints(pattern=_SEASON)] | None = None
    hours: Annotated[str, StringConstraints(pattern=_CLOCK)] | None = None
    use: Literal["prior", "shock", "drift", "ratio"] | None = None
    at: Quantity | None = None
    direction: Direction | None = None
    horizon: str | None = None
    shape: float = Field(default=0.2, gt=0, lt=1)
    cap: float = Field(default=500.0, gt=1, le=1e6)
    lr: Literal["calibrated"] | None = None
    group: str | None = Field(default=None, min_length=1, max_length=128)
    of: Name | None = None
    seen: Frequency | None = None
    otherwise: Frequency | None = None
    prior: Frequency | None = None
    law: Name | None = None
    reason: Text | None = None
    basis: str = Field(default="E", max_length=300)

    @property
    def comparison(self) -> tuple[str, Quantity] | None:
        """The comparison and its threshold as written; None if there is none."""
        written = zip(COMPARISONS, (self.below, self.at_most, self.above, self.at_least), strict=True)
        return next(((sign, value) for sign, value in written if value is not None), None)

    @property
    def brought(self) -> str | None:
        """What a model brings for this entry; None for a condition over readings."""
        return "ratio" if self.lr is not None else self.use


class CauseWords(_Words):
    """One cause: of ten such events, how many bring the risk?

    Attributes:
        yes: in how many the risk followed; left out where the rule combines by weights or by a full table.
        of: of how many.
        weight: how much it counts beside the others, where the rule says ``combine: ranked``.
        reading: ``compound`` counts every case after the cause, whatever else was at work; ``alone`` counts only what
            the cause itself brought.
        prior: how often the cause is there when nothing is known of it.
        when: a condition such as ``tide_m >= 4.55``; short for an entry under ``signs``.
        title: what people call it.
        shared: a root that all places share, such as one storm over the city.
        basis: citation, or ``E``.
    """

    yes: float | None = Field(default=None, ge=0)
    of: float | None = Field(default=None, gt=0, le=1e9)
    weight: float | None = Field(default=None, gt=0, le=1e6)
    reading: Literal["compound", "alone"] = "compound"
    prior: Frequency | None = None
    when: str | None = Field(default=None, max_length=200)
    title: Phrase | None = None
    shared: bool = False
    basis: str = Field(default="E", max_length=300)

    @property
    def rate(self) -> float:
        """The share, within [0, 1]; 0 where the cause alone claims nothing."""
        return self.yes / self.of if self.yes is not None and self.of is not None else 0.0

    @model_validator(mode="after")
    def _check_share(self) -> CauseWords:
        if (self.yes is None) != (self.of is None):
            message = "a frequency needs both 'yes' and 'of'"
            raise ValueError(message)
        if self.yes is not None and self.of is not None and self.yes > self.of:
            message = f"{self.yes:g} of {self.of:g} is more than all"
            raise ValueError(message)
        return self


class RankedWords(_Words):
    """How weighted causes make the risk more likely: Fenton, Neil and Caballero (2007), truncated normal.

    Attributes:
        spread: standard deviation around the weighted mean, on a scale from 0 (no cause) to 1 (all of them).
        mean: ``weighted`` mean of the causes, or the ``least`` or ``most`` of them, weights counting.
    """

    spread: float = Field(gt=0, le=10)
    mean: Literal["weighted", "least", "most"] = "weighted"


class TableRowWords(_Words):
    """One row of a full table: exactly these causes are there; of so many such cases, how many bring the risk?

    Attributes:
        when: names of the causes that are there; the others are not.
        yes: in how many the risk followed.
        of: of how many.
        basis: citation, or ``E``.
    """

    when: tuple[Name, ...] = Field(min_length=1, max_length=16)
    yes: float = Field(ge=0)
    of: float = Field(gt=0, le=1e9)
    basis: str = Field(default="E", max_length=300)

    @model_validator(mode="after")
    def _check_share(self) -> TableRowWords:
        if self.yes > self.of:
            message = f"{self.yes:g} of {self.of:g} is more than all"
            raise ValueError(message)
        return self


class DecisionWords(_Words):
    """A statutory decision table over entries under ``signs`` that compare with nothing.

    Attributes:
        hit: what several rows that hold mean, by the names of DMN.
        rows: entry → cell such as ``>= 80``, ``[35..50)`` or ``-``; ``law`` names what fires, ``none`` for nothing.
    """

    hit: Literal["unique", "any", "first", "collect"] = "unique"
    rows: tuple[dict[Name, Quantity], ...] = Field(min_length=1, max_length=200)


class InhibitorWords(_Words):
    """What holds the risk off: of ten cases that would have come, how many does it stop?

    Attributes:
        stops: how many it stops.
        of: of how many.
        prior: how often it is there when nothing is known of it.
        when: a condition, as for a cause.
        title: what people call it.
        basis: citation, or ``E``.
    """

    stops: float = Field(ge=0)
    of: float = Field(gt=0, le=1e9)
    prior: Frequency | None = None
    when: str | None = Field(default=None, max_length=200)
    title: Phrase | None = None
    basis: str = Field(default="E", max_length=300)

    @property
    def rate(self) -> float:
        """The share, within [0, 1]."""
        return self.stops / self.of

    @model_validator(mode="after")
    def _check_share(self) -> InhibitorWords:
        if self.stops > self.of:
            message = f"{self.stops:g} of {self.of:g} is more than all"
            raise ValueError(message)
        return self


class LevelWords(_Words):
    """A level is reached when the probability exceeds cost / loss."""

    cost: float = Field(gt=0, allow_inf_nan=False)
    loss: float = Field(gt=0, allow_inf_nan=False)

    @property
    def bar(self) -> float:
        """Cost / loss."""
        return self.cost / self.loss


class LawWords(_Words):
    """A statutory rule: it always fires, whatever is probable.

    Attributes:
        level: the level it opens.
        cite: the standard or order it stands in.
        title: what people call it; default the risk's title.
        do: its procedure; default the rule's.
    """

    level: Level = Level.RED
    cite: str = Field(default="", max_length=300)
    title: Phrase | None = None
    do: Identifier | None = None


class TestWords(_Words):
    """One test of a rule.

    Attributes:
        given: entry name → value in the sign's unit, ratio, probability or truth; ``minutes``, ``hours``, ``days``:
            how long the values hold; a list is a series, one value per interval of the sign.
        expect: ``law.NAME``, a level that must be reached, ``none`` for no warning at all, or ``fact.NAME``.
        expect_not: what must not come.
        kind: positive, negative or boundary; default by what is expected.
        note: why.
    """

    given: dict[str, Any] = Field(max_length=50)
    expect: str | None = Field(default=None, max_length=100)
    expect_not: str | None = Field(default=None, max_length=100)
    kind: Literal["positive", "negative", "boundary"] | None = None
    note: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _check_expectation(self) -> TestWords:
        if self.expect is None and self.expect_not is None:
            message = "a test needs 'expect' or 'expect_not'"
            raise ValueError(message)
        return self


def _text_of_date(value: Any) -> Any:
    if isinstance(value, str) and not _DATE.fullmatch(value):
        message = f"{value!r} is no date; write it like 2026-06-01"
        raise ValueError(message)
    return value


Day = Annotated[date, BeforeValidator(_text_of_date, json_schema_input_type=date)]


class RuleWords(_Words):
    """One risk, as its file says it.

    Attributes:
        id: id of the risk, such as ``flood.underpass``.
        version: counts up with each reviewed change.
        title: what people call it; default the id.
        owner: the department that owns the rule and leads.
        expert: who said so.
        status: draft, trial, active or retired.
        effective_from: first day it applies (``from``).
        effective_until: last day it applies (``until``).
        at: places it applies to; default the places of its signs.
        signs: conditions and evidence by name.
        risk: name of the risk's node.
        combine: ``any`` cause may bring the risk (noisy-OR), ``all`` are needed (noisy-AND), they are ``ranked`` by
            weight, or a full ``table`` says it.
        causes: what brings it.
        ranked: how weights combine, with ``combine: ranked``.
        table: a row for each combination of causes, with ``combine: table``; with none of them the leak counts.
        inhibits: what holds it off.
        leak: how often it comes without any named cause, within the horizon at one place.
        base_rate: how often it comes at all; what the rule claims without any evidence is checked against it.
        horizon: every probability is of an onset within it.
        levels: level → cost and loss.
        laws: statutory rules by name.
        tables: statutory decision tables by name.
        do: id of the procedure.
        quiet: how long it must be under the bar before an episode closes.
        cause: id of the shared cause that groups episodes into incidents; default the risk.
        cite: sources.
        tests: its own tests.
    """

    id: Identifier
    version: int = Field(default=1, ge=1)
    title: Phrase | None = None
    owner: Phrase
    expert: str = Field(min_length=1, max_length=128)
    status: Status
    effective_from: Day | None = Field(default=None, alias="from")
    effective_until: Day | None = Field(default=None, alias="until")
    at: tuple[Identifier, ...] | None = Field(default=None, min_length=1)
    signs: dict[Name, SignWords] = Field(default_factory=dict, max_length=64)
    risk: Name
    combine: Literal["any", "all", "ranked", "table"] = "any"
    causes: dict[Name, CauseWords] = Field(default_factory=dict, max_length=64)
    ranked: RankedWords | None = None
    table: tuple[TableRowWords, ...] = Field(default=(), max_length=1024)
    inhibits: dict[Name, InhibitorWords] = Field(default_factory=dict, max_length=16)
    leak: Frequency
    base_rate: Frequency | None = None
    horizon: str
    levels: dict[Literal["blue", "yellow", "orange", "red"], LevelWords] = Field(min_length=1)
    laws: dict[Name, LawWords] = Field(default_factory=dict, max_length=32)
    tables: dict[Name, DecisionWords] = Field(default_factory=dict, max_length=8)
    do: Identifier
    quiet: str = "1h"
    cause: Identifier | None = None
    cite: tuple[str, ...] = ()
    tests: tuple[TestWords, ...] = Field(default=(), max_length=500)


class StepsWords(_Words):
    """One procedure as its file says it.

    Attributes:
        title: what people call it.
        lead: the department that leads.
        steps: what to do, in order.
    """

    title: Phrase
    lead: Phrase
    steps: tuple[Phrase, ...] = Field(min_length=1, max_length=50)
