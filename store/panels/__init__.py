"""Panels: long tables of readings (sign, time, value) in Parquet or CSV, streamed in and out, never read whole."""

from __future__ import annotations

from .covariates import KnownCovariates, read_static
from .grid import Aggregate, GridSeries, read_grid
from .panel import Panel, PanelBatch, PanelColumns, Span
from .writer import ForecastWriter, quantile_column

__all__ = [
    "Aggregate",
    "ForecastWriter",
    "GridSeries",
    "KnownCovariates",
    "Panel",
    "PanelBatch",
    "PanelColumns",
    "Span",
    "quantile_column",
    "read_grid",
    "read_static",
]
