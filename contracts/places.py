"""Places: the five-level tree city > district > street > grid > community."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from .errors import ConfigurationError, DataError, Problem
from .text import Text

IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}$"
"""What an id of a sign, place, model, rule or risk may look like: safe in a URL and a file name."""


class PlaceLevel(StrEnum):
    """The level of a place, from the whole city down to a community."""

    CITY = "city"
    DISTRICT = "district"
    STREET = "street"
    GRID = "grid"
    COMMUNITY = "community"

    @property
    def depth(self) -> int:
        """Steps below the city: 0 for the city, 4 for a community."""
        return list(PlaceLevel).index(self)


class Place(BaseModel):
    """A node of the place tree.

    Attributes:
        id: unique id, such as ``pudong.lujiazui``.
        name: what people call it.
        level: one of the five levels.
        parent: id of the place that holds it; None only for a city.
        latitude: WGS 84 degrees, if known.
        longitude: WGS 84 degrees, if known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=IDENTIFIER)
    name: Text
    level: PlaceLevel
    parent: str | None = None
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)


class PlaceTree:
    """The places of one city, checked whole: unique ids, known parents, each parent one or more levels up.

    Args:
        places: every place, in any order.

    Raises:
        ConfigurationError: listing every duplicate, orphan and wrong level.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        listed = list(places)
        self._places = {place.id: place for place in listed}
        problems = list(_tree_problems(listed, self._places))
        if problems:
            title = "The place tree"
            raise ConfigurationError(title, problems)

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        """Iterate over the places in the order given."""
        return iter(self._places.values())

    def __contains__(self, place_id: object) -> bool:
        """Return whether a place of that id is in the tree."""
        return place_id in self._places

    def __getitem__(self, place_id: str) -> Place:
        """Return a place by id.

        Raises:
            DataError: if the tree does not hold it.
        """
        try:
            return self._places[place_id]
        except KeyError:
            message = f"No place {place_id!r} among the {len(self)} places known. Check places.csv."
            raise DataError(message) from None

    def path(self, place_id: str) -> list[Place]:
        """Return the places from the city down to this one."""
        path = [self[place_id]]
        while path[-1].parent is not None:
            path.append(self[path[-1].parent])
        return path[::-1]

    def is_within(self, place_id: str, ancestor_id: str) -> bool:
        """Return whether a place is the ancestor or lies below it."""
        return any(place.id == ancestor_id for place in self.path(place_id))

    def common_ancestor(self, place_ids: Iterable[str]) -> Place:
        """Return the lowest place that holds all the given ones.

        Raises:
            DataError: if none is given or they share no city.
        """
        paths = [self.path(place_id) for place_id in place_ids]
        shared: list[Place] = [
            column[0] for column in zip(*paths, strict=False) if len({place.id for place in column}) == 1
        ]
        if not shared:
            message = "The places given have no common ancestor. Give places of one city."
            raise DataError(message)
        return shared[-1]


def _tree_problems(listed: list[Place], by_id: dict[str, Place]) -> Iterator[Problem]:
    seen: set[str] = set()
    for place in listed:
        if place.id in seen:
            yield Problem(place.id, "the id stands twice.", "Give each place an id of its own.")
        seen.add(place.id)
        if place.parent is None:
            if place.level is not PlaceLevel.CITY:
                yield Problem(place.id, f"a {place.level} has no parent.", "Name the place above it.")
        elif place.parent not in by_id:
            yield Problem(place.id, f"its parent {place.parent!r} is unknown.", "Add that place or correct the id.")
        elif by_id[place.parent].level.depth >= place.level.depth:
            above = by_id[place.parent].level
            yield Problem(place.id, f"a {place.level} lies in a {above}.", "A parent stands on a higher level.")
