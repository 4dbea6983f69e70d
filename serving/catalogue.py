"""The district's signs and places as last read, and read again when a name is not among them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from contracts import Place, PlaceTree, SignCatalogue
from store import Store

REREAD_S = 1.0


class Catalogue:
    """Signs and places. Its methods read the store: call them where waiting is allowed.

    Args:
        store: where signs and places are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._signs = SignCatalogue(())
        self._signs_read = -REREAD_S

    def signs(self, wanted: Iterable[str] | None = None) -> SignCatalogue:
        """Return the signs.

        Args:
            wanted: ids the caller is about to look up; if one is not known, the store is asked again, but not more
                often than every second, so that wrong ids cost little. None asks again in any case.
        """
        if wanted is None or (not all(sign in self._signs for sign in wanted) and self._may_reread()):
            self._signs = SignCatalogue(self._store.signs.all())
            self._signs_read = time.monotonic()
        return self._signs

    def places(self) -> PlaceTree:
        """Return the place tree."""
        return PlaceTree(self._store.places.all())

    def subtree(self, place_id: str) -> list[str]:
        """Return the ids of a place and of all places below it.

        Raises:
            DataError: if the place is not known.
        """
        tree = self.places()
        root = tree[place_id]
        return [place.id for place in tree if _lies_within(tree, place, root)]

    def _may_reread(self) -> bool:
        return time.monotonic() - self._signs_read >= REREAD_S


def _lies_within(tree: PlaceTree, place: Place, root: Place) -> bool:
    return tree.is_within(place.id, root.id)
