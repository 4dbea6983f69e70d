"""Verdicts that operators gave; they arrive through ``inbox``."""

from __future__ import annotations

from sqlalchemy import select

from contracts import Verdict

from .database import Database
from .documents import decode_model
from .schema import verdict


class Verdicts:
    """Verdicts by episode."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, episode: str) -> list[Verdict]:
        """Return the verdicts on one episode, in the order of their arrival."""
        query = select(verdict).where(verdict.c.episode == episode).order_by(verdict.c.sequence)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [decode_model(Verdict, row.document, f"Verdict {row.sequence}") for row in rows]
