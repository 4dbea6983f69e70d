"""Episodes as the runtime last wrote them; it alone writes them, through ``runtime``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from contracts import Episode, to_ms

from .bulk import upsert
from .database import Database
from .documents import decode_model, encode_model
from .listing import EpisodeFilter, find_documents
from .schema import episode


class Episodes:
    """Episodes by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Episode | None:
        """Return one episode; None where there is none of that id."""
        with self._database.read() as connection:
            document = connection.scalar(select(episode.c.document).where(episode.c.id == key))
        return None if document is None else decode_model(Episode, document, f"Episode {key!r}")

    def find(self, wanted: EpisodeFilter | None = None) -> list[Episode]:
        """Return a page of episodes, newest opening first.

        Raises:
            DataError: if the filter's ``after`` names no episode.
        """
        with self._database.read() as connection:
            rows = find_documents(connection, episode, wanted or EpisodeFilter())
        return [decode_model(Episode, document, f"Episode {key!r}") for key, document in rows]


def episode_rows(episodes: Iterable[Episode]) -> list[dict[str, Any]]:
    """Return the rows of episodes."""
    return [
        {
            "id": item.id,
            "place": item.place,
            "level": item.level.rank,
            "status": item.status.value,
            "incident": item.incident,
            "opened_ms": to_ms(item.opened_at),
            "updated_ms": to_ms(item.updated_at),
            "closed_ms": None if item.closed_at is None else to_ms(item.closed_at),
            "document": encode_model(item, f"Episode {item.id!r}"),
        }
        for item in episodes
    ]


def write_episodes(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert or replace episodes."""
    upsert(connection, episode, rows, "id")
