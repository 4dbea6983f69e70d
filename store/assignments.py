"""Which champion forecasts which sign."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import delete, select

from .bulk import one_of, upsert
from .database import Database
from .schema import assignment, sign
from .signs import Signs


class Assignments:
    """The name of a model for each sign that is forecast."""

    def __init__(self, database: Database, signs: Signs) -> None:
        self._database = database
        self._signs = signs

    def put(self, sign_id: str, model: str) -> None:
        """Let a model forecast a sign.

        Raises:
            UnknownSignError: if the sign is not in the store.
        """
        self.put_all({sign_id: model})

    def put_all(self, models: Mapping[str, str]) -> None:
        """Let models forecast signs: sign → model, all in one transaction.

        Raises:
            UnknownSignError: if a sign is not in the store.
        """
        with self._database.write() as connection:
            numbers = self._signs.numbers(connection, models.keys())
            rows = [{"sign": numbers[key], "model": model} for key, model in models.items()]
            upsert(connection, assignment, rows, "sign")

    def remove(self, sign_ids: Collection[str]) -> int:
        """Take assignments back, so that signs go to the champion that names them; return how many there were.

        Raises:
            UnknownSignError: if a sign is not in the store.
        """
        with self._database.write() as connection:
            numbers = self._signs.numbers(connection, sign_ids)
            gone = one_of(connection, assignment.c.sign, numbers.values())
            return connection.execute(delete(assignment).where(gone)).rowcount

    def all(self) -> dict[str, str]:
        """Return sign → model, by sign."""
        query = select(sign.c.id, assignment.c.model).join(sign, sign.c.number == assignment.c.sign)
        with self._database.read() as connection:
            return {row.id: row.model for row in connection.execute(query.order_by(sign.c.id))}
