"""Covariates of a dataset's series: known ahead by step, static by sign."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contracts import DataError
from store.panels import KnownCovariates, read_static

from .recipe import Recipe
from .series import Series


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """What is known beside the readings.

    Attributes:
        signs: ids of the series, in their order.
        known: covariates known ahead; None for none.
        static: shape ``(series, feature)``; None for none.
    """

    signs: tuple[str, ...]
    known: KnownCovariates | None
    static: NDArray[np.float32] | None

    @classmethod
    def read(cls, recipe: Recipe, series: Sequence[Series]) -> Covariates | None:
        """Read a recipe's covariates; None where it has none.

        Raises:
            DataError: if they cannot be read, or do not cover every sign and step.
        """
        section = recipe.covariates
        if section is None:
            return None
        signs = tuple(one.sign for one in series)
        known = static = None
        if section.known is not None:
            known = KnownCovariates.read(
                recipe.folder / section.known.path, section.known.names, recipe.data.interval_s
            )
            for one in series:
                known.check([one.sign], one.times_ms()[None])
        if section.static is not None:
            by_sign = read_static(recipe.folder / section.static.path, section.static.names)
            missing = [sign for sign in signs if sign not in by_sign]
            if missing:
                message = f"{len(missing)} signs, such as {missing[0]!r}, have no row in {str(section.static.path)!r}."
                raise DataError(message)
            static = np.array([by_sign[sign] for sign in signs], np.float32)
        return cls(signs, known, static)

    def tensors(self, series: NDArray[np.int64], times_ms: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return the inputs ``known`` and ``static`` of windows.

        Args:
            series: index of each window's series, shape ``(batch,)``.
            times_ms: shape ``(batch, context + horizon)``; before a series begins, what is not known is zero.
        """
        found = {}
        if self.known is not None:
            values = self.known.at([self.signs[number] for number in series], times_ms)
            found["known"] = torch.from_numpy(np.nan_to_num(values))
        if self.static is not None:
            found["static"] = torch.from_numpy(self.static[series])
        return found

    def fingerprint(self) -> str:
        """Return the sha256 of all values."""
        digest = hashlib.sha256()
        for part in (None if self.known is None else self.known.values, self.static):
            digest.update(b"none" if part is None else np.ascontiguousarray(part, "<f4").tobytes())
        return digest.hexdigest()

    def to_json(self) -> dict[str, object]:
        """Return the static covariates by sign, and their means for signs to come, for a release's manifest."""
        if self.static is None:
            return {}
        rows = zip(self.signs, self.static.tolist(), strict=True)
        return {"static": dict(rows), "usual": self.static.mean(0).tolist()}
