"""A rule set: what the rule files mean, every name and unit resolved. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts import Direction, Level, PlaceTree, Procedure, SignCatalogue, Text

from .authoring import RuleWords
from .tables import DecisionTable


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition over the readings of one sign, in that sign's unit; times in milliseconds.

    Attributes:
        name: of the entry.
        source: id or dimension of the sign, as written.
        unit: unit of the thresholds.
        operator: ``<``, ``<=``, ``>`` or ``>=``; empty for ``stuck``, ``absent``, ``sequence`` and ``every``.
        threshold: what is compared with.
        clear: hysteresis; None for none.
        transform: ``value``, ``rise``, ``drop``, ``night``, ``stuck``, ``absent``, ``sequence`` or ``every``.
        window_ms: of the transform.
        tolerance: of ``stuck``.
        steps: names of the entries of a ``sequence``, or of those that must hold together (``every``).
        unless: names of the entries that keep an ``every`` from holding.
        hold_ms: how long it must hold.
        count: how many hits within ``within_ms``; 0 for no counting.
        within_ms: window of counting, or the longest time of a sequence.
        night: local start and end of the night, minutes of the day.
        hours: local start and end outside which it is not asked, minutes of the day.
        season: first and last day of the year, as (month, day), outside which it is not asked.
    """

    name: str
    source: str
    unit: str
    operator: str = ""
    threshold: float = 0.0
    clear: float | None = None
    transform: str = "value"
    window_ms: int = 0
    tolerance: float = 0.0
    steps: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    hold_ms: int = 0
    count: int = 0
    within_ms: int = 0
    night: tuple[int, int] | None = None
    hours: tuple[int, int] | None = None
    season: tuple[tuple[int, int], tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """Evidence that a model brings.

    Attributes:
        name: of the entry.
        source: id or dimension of the sign, as written.
        use: ``prior``, ``shock``, ``drift`` or ``ratio``.
        level: the level whose exceedance is forecast; None for anomalies.
        direction: which way it harms; None for the sign's own.
        horizon_ms: how far ahead it counts.
    """

    name: str
    source: str
    use: str
    level: float | None
    direction: Direction | None
    horizon_ms: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One risk, resolved.

    Attributes:
        words: what its file says.
        file: the file's name.
        places: where it applies.
        signs: (place, entry name) → id of the sign there.
        conditions: by entry name.
        brought: by entry name.
        thresholds: (place, entry name) → threshold that differs there.
        horizon_ms: of every probability.
        quiet_ms: under the bar for so long before an episode closes.
        procedure: what to do.
        laws: law → its procedure.
        tables: its decision tables, as checked.
        derived: entries that its file does not write as such: cells and rows of tables, conditions under ``when``.
    """

    words: RuleWords
    file: str
    places: tuple[str, ...]
    signs: Mapping[tuple[str, str], str]
    conditions: Mapping[str, Condition]
    brought: Mapping[str, Brought]
    thresholds: Mapping[tuple[str, str], float]
    horizon_ms: int
    quiet_ms: int
    procedure: Procedure
    laws: Mapping[str, Procedure] = field(default_factory=dict)
    tables: Mapping[str, DecisionTable] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The risk's id."""
        return self.words.id

    @property
    def title(self) -> Text:
        """What people call the risk."""
        return self.words.title or Text(zh=self.words.id, en=self.words.id)

    @property
    def bars(self) -> dict[Level, float]:
        """Level → cost / loss, rising."""
        bars = {Level(level): words.bar for level, words in self.words.levels.items()}
        return dict(sorted(bars.items(), key=lambda item: item[0].rank))

    @property
    def law_names(self) -> tuple[str, ...]:
        """The laws that its entries carry."""
        return tuple(dict.fromkeys(entry.law for entry in self.words.signs.values() if entry.law is not None))

    def sign_at(self, place: str, name: str) -> str | None:
        """The sign that an entry speaks of at a place; of entries that must hold together, the first one's."""
        condition = self.conditions.get(name)
        source = condition.steps[0] if condition is not None and condition.transform == "every" else name
        return self.signs.get((place, source))

    def node(self, name: str) -> str:
        """The graph's id of a name in this rule."""
        return f"{self.words.id}.{name}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of a folder with what they refer to.

    Attributes:
        rules: in the order of their ids.
        signs: the catalogue they were checked against.
        places: the tree they were checked against.
        procedures: by id.
        timezone: IANA name of the local time of nights, hours and seasons.
    """

    rules: tuple[Rule, ...]
    signs: SignCatalogue
    places: PlaceTree
    procedures: Mapping[str, Procedure]
    timezone: str

    def rule(self, rule_id: str) -> Rule | None:
        """Return a rule by id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)
