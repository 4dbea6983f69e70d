"""Batch scoring: every sign of a district in one call, a panel of any length in bounded memory."""

from __future__ import annotations

from .batch import Scoring, score_signs
from .contexts import Contexts, PanelContexts, StoreContexts
from .scorer import Scorer, aggregate_of, hierarchy_of

__all__ = [
    "Contexts",
    "PanelContexts",
    "Scorer",
    "Scoring",
    "StoreContexts",
    "aggregate_of",
    "hierarchy_of",
    "score_signs",
]
