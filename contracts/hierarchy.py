"""Hierarchies: signs that add up over the five levels of places, and forecasts of them that add up too.

A total is the sum of the signs at a place and below it. Forecasts made one by one do not add up; they are moved to the
nearest ones that do, in the weights of their error variances: least squares under the sums as constraints
(Wickramasuriya et al. 2019, in the zero-constrained form of Di Fonzo and Girolimetto 2022). Which weights are good is
found in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .places import PlaceLevel, PlaceTree

HIERARCHY = "hierarchy"
"""Where a release's metadata carries one."""

LEAST_KNOWN_SHARE = 0.5
"""A total is missing where the signs that are read make up less than this share of its usual value."""
_STEPS_AT_ONCE = 512
_FEWEST_MEMBERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """Signs and their totals; a node is one of either, the signs first.

    Attributes:
        signs: ids of the signs that are added up.
        totals: ids of the totals.
        levels: level of each total's place.
        members: which signs each total adds up, shape ``(total, sign)``.
        usual: usual magnitude of each sign, above zero, shape ``(sign,)``: what stands in where it is missing.
        weights: variance of each node's forecast errors, up to a factor, shape ``(node,)``; a sign of weight 0 is
            never moved.
    """

    signs: tuple[str, ...]
    totals: tuple[str, ...]
    levels: tuple[PlaceLevel, ...]
    members: NDArray[np.bool_]
    usual: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def over(cls, places: PlaceTree, place_of: Mapping[str, str], name: str) -> Hierarchy:
        """Return the totals of every place with two signs or more at it or below it, weighted by how many they are.

        Args:
            places: the tree.
            place_of: sign → its place.
            name: totals are named ``<name>.<place>``.

        Raises:
            DataError: if no place has two signs.
        """
        signs = tuple(place_of)
        below: dict[str, list[int]] = {}
        for number, sign in enumerate(signs):
            for place in places.path(place_of[sign]):
                below.setdefault(place.id, []).append(number)
        summed = [place for place in places if len(below.get(place.id, ())) >= _FEWEST_MEMBERS]
        if not summed:
            message = (
                f"No place has two of the {len(signs)} signs at it or below it: nothing adds up. Check the places."
            )
            raise DataError(message)
        members = np.zeros((len(summed), len(signs)), np.bool_)
        for row, place in enumerate(summed):
            members[row, below[place.id]] = True
        weights = np.concatenate([np.ones(len(signs)), members.sum(1)])
        totals, levels = tuple(f"{name}.{place.id}" for place in summed), tuple(place.level for place in summed)
        return cls(signs, totals, levels, members, np.ones(len(signs)), weights)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Ids of all nodes."""
        return self.signs + self.totals

    def add_up(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the totals of readings.

        Where signs are missing, those that are known stand for them, as large as the known ones' share of the usual.

        Args:
            values: shape ``(sign, time)``, NaN where missing.

        Returns:
            Shape ``(total, time)``; NaN where too little is known.
        """
        summing = self.members.astype(np.float64)
        whole = summing @ self.usual
        totals = np.empty((len(self.totals), values.shape[1]), np.float32)
        for start in range(0, values.shape[1], _STEPS_AT_ONCE):
            part = values[:, start : start + _STEPS_AT_ONCE].astype(np.float64)
            known = np.isfinite(part)
            share = summing @ (known * self.usual[:, None]) / whole[:, None]
            found = summing @ np.where(known, part, 0.0)
            enough = share >= LEAST_KNOWN_SHARE
            totals[:, start : start + _STEPS_AT_ONCE] = np.divide(
                found, share, out=np.full(found.shape, np.nan), where=enough
            )
        return totals

    def reconcile(self, forecasts: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the forecasts nearest to those given that add up.

        A sign without a forecast counts with its usual magnitude, a total without one with the sum below it.

        Args:
            forecasts: shape ``(node, step)``, NaN where there is none.
        """
        count, summing = len(self.signs), self.members.astype(np.float64)
        given = np.array(forecasts, np.float64)
        below, above = given[:count], given[count:]
        np.copyto(below, np.broadcast_to(self.usual[:, None], below.shape), where=np.isnan(below))
        np.copyto(above, summing @ below, where=np.isnan(above))
        low, high = self.weights[:count], self.weights[count:]
        gap = above - summing @ below  # (total, step)
        matrix = (summing * low) @ summing.T + np.diag(high)
        scale = 1 / np.sqrt(np.diag(matrix))
        pull = np.linalg.solve(matrix * scale * scale[:, None], gap * scale[:, None]) * scale[:, None]
        moved = below + low[:, None] * (summing.T @ pull)
        return np.concatenate([moved, summing @ moved])

    def level_rows(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield the name of each level that has nodes, and which nodes; the signs come last, as ``sign``."""
        for level in PlaceLevel:
            rows = [len(self.signs) + row for row, one in enumerate(self.levels) if one is level]
            if rows:
                yield str(level), np.array(rows, np.int64)
        yield "sign", np.arange(len(self.signs))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, for a release's manifest."""
        return {
            "signs": list(self.signs),
            "totals": [
                {"id": total, "level": str(level), "members": np.flatnonzero(row).tolist()}
                for total, level, row in zip(self.totals, self.levels, self.members, strict=True)
            ],
            "usual": [float(value) for value in self.usual],
            "weights": [float(value) for value in self.weights],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Hierarchy:
        """Restore :meth:`to_json`.

        Raises:
            DataError: if the document is no hierarchy.
        """
        try:
            totals = document["totals"]
            members = np.zeros((len(totals), len(document["signs"])), np.bool_)
            for row, total in enumerate(totals):
                members[row, total["members"]] = True
            return cls(
                tuple(document["signs"]),
                tuple(total["id"] for total in totals),
                tuple(PlaceLevel(total["level"]) for total in totals),
                members,
                np.array(document["usual"], np.float64),
                np.array(document["weights"], np.float64),
            )
        except (KeyError, TypeError, ValueError, IndexError) as exc:
            message = f"The hierarchy in the manifest cannot be read: {exc!r}. Train the model again."
            raise DataError(message) from exc
