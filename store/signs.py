"""The sign catalogue, and the short numbers that stand for signs in the large tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select

from contracts import Sign, UnknownSignError

from .bulk import one_of, upsert
from .database import Database
from .documents import decode_model, encode_model
from .schema import sign

MILLISECONDS_PER_S = 1000


class Signs:
    """Signs by id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[str, int] = {}  # a sign's number never changes, so that it may be remembered
        self._ids: dict[int, str] = {}

    def put(self, signs: Iterable[Sign]) -> None:
        """Insert or update signs.

        Raises:
            StoreError: if the place of one of them is not in the store.
        """
        rows = [
            {
                "id": item.id,
                "place": item.place,
                "interval_ms": item.interval_s * MILLISECONDS_PER_S,
                "document": encode_model(item, f"Sign {item.id!r}"),
            }
            for item in signs
        ]
        with self._database.write() as connection:
            upsert(connection, sign, rows, "id")

    def all(self) -> list[Sign]:
        """Return every sign, by id."""
        with self._database.read() as connection:
            rows = connection.execute(select(sign.c.id, sign.c.document).order_by(sign.c.id)).all()
        return [decode_model(Sign, document, f"Sign {key!r}") for key, document in rows]

    def numbers(self, connection: Connection, ids: Collection[str]) -> dict[str, int]:
        """Return the number of each sign.

        Raises:
            UnknownSignError: naming those that the store does not hold.
        """
        if not all(key in self._numbers for key in ids):
            self._learn(connection)
        unknown = sorted(key for key in ids if key not in self._numbers)
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""  # noqa: PLR2004 - a short list in a message
            message = f"Unknown signs {unknown[:5]}{more}. Import them with `cityforge signs import FILE.csv`."
            raise UnknownSignError(message)
        return {key: self._numbers[key] for key in ids}

    def ids(self, connection: Connection, numbers: Collection[int]) -> dict[int, str]:
        """Return the id of each number that a row of this store names."""
        if not all(number in self._ids for number in numbers):
            self._learn(connection)
        return {number: self._ids[number] for number in numbers}

    def intervals_ms(self, connection: Connection, ids: Collection[str]) -> dict[str, int]:
        """Return the interval of each known sign in milliseconds."""
        query = select(sign.c.id, sign.c.interval_ms).where(one_of(connection, sign.c.id, ids))
        return {key: int(interval) for key, interval in connection.execute(query)}

    def _learn(self, connection: Connection) -> None:
        for key, number in connection.execute(select(sign.c.id, sign.c.number)):
            self._numbers[key] = number
            self._ids[number] = key
