"""What a search is told: the options of ``family = "auto"``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts import Problem

AUTO = "auto"
SEARCHED = ("seasonal_naive", "ridge", "nlinear", "dlinear", "tide", "nhits", "patchtst")
"""Families that have a space; see :mod:`training.search`."""


class SearchOptions(BaseModel):
    """Options of the family ``auto``.

    Attributes:
        budget_s: seconds for all trials together; a trial that runs is finished unless it is far too long.
        trials: at most so many; None for as many as the budget holds.
        families: which are tried, each with its usual settings first.
        season: steps of a season; None for none.
        seed: of what is proposed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget_s: float = Field(default=300.0, gt=0)
    trials: int | None = Field(default=None, ge=1)
    families: tuple[str, ...] = Field(default=("ridge", "nlinear", "dlinear", "tide", "nhits"), min_length=1)
    season: int | None = Field(default=None, ge=1)
    seed: int = 0


def search_problems(options: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the options of a search; empty when nothing is."""
    try:
        settings = SearchOptions.model_validate(dict(options))
    except ValidationError as exc:
        names = ", ".join(SearchOptions.model_fields)
        return [
            Problem(
                ".".join(["[model.options]", *(str(part) for part in error["loc"])]),
                f"{error['msg']}, given {str(error['input'])[:80]!r}.",
                f"Options of {AUTO!r}: {names}.",
            )
            for error in exc.errors(include_url=False)
        ]
    return [
        Problem("[model.options].families", f"{family!r} cannot be searched.", f"Choose of: {', '.join(SEARCHED)}.")
        for family in settings.families
        if family not in SEARCHED
    ]
