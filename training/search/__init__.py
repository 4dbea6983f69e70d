"""``family = "auto"``: searches families and settings within a time budget, choosing on the validation window alone."""

from __future__ import annotations

from .searching import SearchResult, search_recipe
from .spaces import SPACES

__all__ = ["SPACES", "SearchResult", "search_recipe"]
