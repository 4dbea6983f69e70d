"""Which places of the five levels have rules, themselves or somewhere below."""

from __future__ import annotations

from dataclasses import dataclass

from contracts import PlaceLevel

from .authoring import Status
from .ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class LevelCoverage:
    """The places of one level.

    Attributes:
        level: from city to community.
        places: how many there are.
        missing: those where no rule applies, neither there nor below.
    """

    level: PlaceLevel
    places: int
    missing: tuple[str, ...]


def cover_levels(ruleset: RuleSet) -> list[LevelCoverage]:
    """Return the coverage of each level that has places, from the city down."""
    evaluated = {Status.TRIAL, Status.ACTIVE}
    at = {place for rule in ruleset.rules if rule.words.status in evaluated for place in rule.places}
    covered = {place.id for rule_place in at for place in ruleset.places.path(rule_place)}
    found = []
    for level in PlaceLevel:
        places = [place.id for place in ruleset.places if place.level is level]
        if places:
            missing = tuple(place for place in places if place not in covered)
            found.append(LevelCoverage(level, len(places), missing))
    return found
