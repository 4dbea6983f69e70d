"""Backtests: how good a forecaster was from every origin of a window, by series, step and place, with a report."""

from __future__ import annotations

from .figures import FIGURES, Backtest, measure_backtest
from .naive import naive2, seasonal_scales
from .report import write_report
from .running import WINDOWS, fit_recipe, run_backtest

__all__ = [
    "FIGURES",
    "WINDOWS",
    "Backtest",
    "fit_recipe",
    "measure_backtest",
    "naive2",
    "run_backtest",
    "seasonal_scales",
    "write_report",
]
