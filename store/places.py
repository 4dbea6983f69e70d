"""The place tree as it was last put."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from contracts import Place

from .bulk import upsert
from .database import Database
from .documents import decode_model, encode_model
from .schema import place


class Places:
    """Places by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, places: Iterable[Place]) -> None:
        """Insert or update places, in any order.

        Raises:
            StoreError: if a parent is neither among them nor in the store.
        """
        rows = [
            {"id": item.id, "parent": item.parent, "document": encode_model(item, f"Place {item.id!r}")}
            for item in places
        ]
        with self._database.write() as connection:
            upsert(connection, place, rows, "id")

    def all(self) -> list[Place]:
        """Return every place, by id."""
        with self._database.read() as connection:
            rows = connection.execute(select(place.c.id, place.c.document).order_by(place.c.id)).all()
        return [decode_model(Place, document, f"Place {key!r}") for key, document in rows]
