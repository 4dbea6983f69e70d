import pytest

from contracts import ConfigurationError, DataError, Place, PlaceLevel, PlaceTree, Text


def place(name: str, level: PlaceLevel, parent: str | None = None) -> Place:
    return Place(id=name, name=Text(zh=name, en=name), level=level, parent=parent)


CITY = place("c", PlaceLevel.CITY)
DISTRICT = place("c.d", PlaceLevel.DISTRICT, "c")
STREETS = [place("c.d.1", PlaceLevel.STREET, "c.d"), place("c.d.2", PlaceLevel.STREET, "c.d")]


def test_a_tree_knows_paths_and_ancestors():
    tree = PlaceTree([*STREETS, DISTRICT, CITY])
    assert [p.id for p in tree.path("c.d.1")] == ["c", "c.d", "c.d.1"]
    assert tree.is_within("c.d.1", "c")
    assert not tree.is_within("c", "c.d.1")
    assert tree.common_ancestor(["c.d.1", "c.d.2"]).id == "c.d"
    assert tree.common_ancestor(["c.d.1"]).id == "c.d.1"


def test_every_problem_is_reported_at_once():
    places = [
        CITY,
        CITY,
        place("x", PlaceLevel.GRID),
        place("y", PlaceLevel.STREET, "nowhere"),
        place("z", PlaceLevel.CITY, "c"),
    ]
    with pytest.raises(ConfigurationError, match="4 problems") as caught:
        PlaceTree(places)
    assert [problem.where for problem in caught.value.problems] == ["c", "x", "y", "z"]


def test_an_unknown_place_is_named():
    with pytest.raises(DataError, match="No place 'q'"):
        PlaceTree([CITY])["q"]


def test_two_cities_share_no_ancestor():
    with pytest.raises(DataError, match="no common ancestor"):
        PlaceTree([CITY, place("other", PlaceLevel.CITY)]).common_ancestor(["c", "other"])
