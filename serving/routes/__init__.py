"""The HTTP routes: each declares its least role, what it takes and what it gives; none holds domain logic."""

from __future__ import annotations

from . import catalogue, detection, forecasts, health, inference, readings, status, warnings
from .documents import document_routes
from .table import Call, Route

_DESCRIBED: tuple[Route, ...] = (
    *health.ROUTES,
    *inference.ROUTES,
    *detection.ROUTES,
    *readings.ROUTES,
    *forecasts.ROUTES,
    *warnings.ROUTES,
    *catalogue.ROUTES,
    *status.ROUTES,
)
ROUTES: tuple[Route, ...] = (*_DESCRIBED, *document_routes(_DESCRIBED))

__all__ = ["ROUTES", "Call", "Route"]
