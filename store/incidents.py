"""Incidents as the runtime last wrote them; it alone writes them, through ``runtime``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from contracts import Incident, to_ms

from .bulk import upsert
from .database import Database
from .documents import decode_model, encode_model
from .listing import EpisodeFilter, find_documents
from .schema import incident


class Incidents:
    """Incidents by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Incident | None:
        """Return one incident; None where there is none of that id."""
        with self._database.read() as connection:
            document = connection.scalar(select(incident.c.document).where(incident.c.id == key))
        return None if document is None else decode_model(Incident, document, f"Incident {key!r}")

    def find(self, wanted: EpisodeFilter | None = None) -> list[Incident]:
        """Return a page of incidents, newest opening first.

        Raises:
            DataError: if the filter's ``after`` names no incident.
        """
        with self._database.read() as connection:
            rows = find_documents(connection, incident, wanted or EpisodeFilter())
        return [decode_model(Incident, document, f"Incident {key!r}") for key, document in rows]


def incident_rows(incidents: Iterable[Incident]) -> list[dict[str, Any]]:
    """Return the rows of incidents."""
    return [
        {
            "id": item.id,
            "place": item.place,
            "level": item.level.rank,
            "status": item.status.value,
            "opened_ms": to_ms(item.opened_at),
            "closed_ms": None if item.closed_at is None else to_ms(item.closed_at),
            "document": encode_model(item, f"Incident {item.id!r}"),
        }
        for item in incidents
    ]


def write_incidents(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert or replace incidents."""
    upsert(connection, incident, rows, "id")
