"""Lists of episodes and incidents: filters, and pages that stay right."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import DataError, Level, Status, from_ms
from store import EpisodeFilter, RuntimeCommit, Store

from .examples import HOUR_MS, START_MS, make_episode, make_incident

EPISODES = [
    make_episode(0, level=Level.BLUE, status=Status.CLOSED, closed_at=from_ms(START_MS + HOUR_MS)),
    make_episode(1, level=Level.RED, place="city"),
    make_episode(2, level=Level.ORANGE, status=Status.ACKNOWLEDGED),
    make_episode(3, level=Level.GREY, place="city", status=Status.CLOSED),
]


@pytest.fixture
def filled(store: Store) -> Store:
    lease = store.leases.acquire("main", "a", 10, 0)
    store.runtime.commit(lease, RuntimeCommit(0, episodes=EPISODES, incidents=[make_incident(i) for i in range(3)]))
    return store


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [3, 2, 1, 0]),
        ({"place_ids": ["city"]}, [3, 1]),
        ({"place_ids": ["city", "grid-7"]}, [3, 2, 1, 0]),
        ({"place_ids": []}, []),
        ({"levels": [Level.RED, Level.ORANGE]}, [2, 1]),
        ({"statuses": {Status.CLOSED}}, [3, 0]),
        ({"since_ms": START_MS + HOUR_MS}, [3, 2, 1]),
        ({"until_ms": START_MS + HOUR_MS}, [0]),
        ({"since_ms": START_MS + HOUR_MS, "until_ms": START_MS + 3 * HOUR_MS, "place_ids": ["city"]}, [1]),
        ({"limit": 2}, [3, 2]),
        ({"limit": 2, "after": EPISODES[2].id}, [1, 0]),
    ],
)
def test_a_filter_lets_pass_what_it_says(filled: Store, wanted: dict[str, Any], numbers: list[int]) -> None:
    assert filled.episodes.find(EpisodeFilter(**wanted)) == [EPISODES[i] for i in numbers]


def test_incidents_are_listed_alike(filled: Store) -> None:
    found = filled.incidents.find(EpisodeFilter(place_ids=["grid-7"], levels=[Level.ORANGE], limit=2))
    assert found == [make_incident(2), make_incident(1)]
    assert filled.incidents.find(EpisodeFilter(after=found[-1].id)) == [make_incident(0)]
    assert filled.incidents.get("in-9") is None


def test_a_changed_episode_replaces_its_former_self(filled: Store) -> None:
    changed = EPISODES[1].model_copy(update={"status": Status.CONFIRMED, "level": Level.YELLOW})
    filled.runtime.commit(filled.leases.acquire("main", "a", 10, 0), RuntimeCommit(0, episodes=[changed]))
    assert filled.episodes.get(changed.id) == changed
    assert filled.episodes.find(EpisodeFilter(levels=[Level.RED])) == []
    assert filled.episodes.find(EpisodeFilter(statuses=[Status.CONFIRMED])) == [changed]


def test_pages_meet_every_old_episode_once_while_new_ones_open(filled: Store) -> None:
    same_time = [make_episode(5, id=f"ep-{i:02}") for i in range(9)]
    lease = filled.leases.acquire("main", "a", 10, 0)
    filled.runtime.commit(lease, RuntimeCommit(0, episodes=same_time))
    seen: list[str] = []
    page = filled.episodes.find(EpisodeFilter(limit=2))
    number = 10
    while page:
        seen.extend(episode.id for episode in page)
        filled.runtime.commit(lease, RuntimeCommit(0, episodes=[make_episode(number)]))
        number += 1
        page = filled.episodes.find(EpisodeFilter(limit=2, after=seen[-1]))
    expected = [*reversed([episode.id for episode in same_time]), *reversed([episode.id for episode in EPISODES])]
    assert seen == expected


def test_what_cannot_be_listed_is_explained(filled: Store) -> None:
    with pytest.raises(DataError, match="No episode 'ep-none' to go on after"):
        filled.episodes.find(EpisodeFilter(after="ep-none"))
    with pytest.raises(DataError, match="from 1 to 1000, was 0"):
        EpisodeFilter(limit=0)
    with pytest.raises(DataError, match="from 1 to 1000, was 1001"):
        EpisodeFilter(limit=1001)
    assert filled.episodes.get("ep-none") is None
