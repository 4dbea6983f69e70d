"""Places, signs and assignments: put again they are updated."""

from __future__ import annotations

import pytest

from contracts import StoreError, Text, UnknownSignError
from store import Store

from .examples import PLACES, SIGNS, make_reading, make_sign


def test_places_and_signs_come_back_as_they_were(store: Store) -> None:
    assert sorted(store.places.all(), key=lambda place: place.id) == sorted(PLACES, key=lambda place: place.id)
    assert {sign.id: sign for sign in store.signs.all()} == {sign.id: sign for sign in SIGNS}


def test_put_again_updates_and_keeps_the_readings(store: Store) -> None:
    store.inbox.append([make_reading(1.0)], 1)
    renamed = SIGNS[0].model_copy(update={"title": Text(zh="总管流量", en="Main flow")})
    store.signs.put([renamed])
    assert renamed in store.signs.all()
    assert len(store.signs.all()) == len(SIGNS)
    assert store.readings.latest(["flow"]) != {}


def test_a_sign_put_by_another_process_is_known_at_once(store: Store, open_store: object) -> None:
    assert callable(open_store)
    other = open_store()
    assert other.inbox.append([make_reading(1.0)], 1).accepted == 1
    store.signs.put([make_sign("new")])
    assert other.inbox.append([make_reading(1.0, sign="new")], 1).accepted == 1


def test_a_sign_at_no_place_and_a_place_in_no_place_are_refused(store: Store) -> None:
    lost = make_sign("lost").model_copy(update={"place": "nowhere"})
    with pytest.raises(StoreError, match=r"(?s)Cannot write the store.*Put the places and signs"):
        store.signs.put([make_sign("fine"), lost])
    assert "fine" not in {sign.id for sign in store.signs.all()}
    with pytest.raises(StoreError, match="Put the places and signs"):
        store.places.put([PLACES[0].model_copy(update={"id": "orphan", "parent": "nowhere"})])


def test_assignments_are_by_sign(store: Store) -> None:
    store.assignments.put_all({"flow": "ridge", "pressure": "ridge"})
    store.assignments.put("flow", "tcn")
    assert store.assignments.all() == {"flow": "tcn", "pressure": "ridge"}
    with pytest.raises(UnknownSignError, match="ghost"):
        store.assignments.put("ghost", "tcn")
