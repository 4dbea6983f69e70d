"""How a number becomes a warning: calibration, scores, watermarks, levels, budgets, episodes, incidents.

Pure: no clock, no I/O, no framework. A backtest and the runtime run the same code on the same inbox items and get the
same episodes to the last digit.
"""

from __future__ import annotations

from .anomaly import fit_shape, likelihood_ratio
from .calibration import calibrate, calibration_key
from .desk import Desk
from .engine import Assignment, ForecastRequest, Outcome, WarningConfiguration, WarningEngine
from .episodes import Ruling
from .policy import AnomalyPolicy, BudgetPolicy, CalibrationPolicy, WarningPolicy
from .presence import Presence, PresenceModel, RatioCurve, ScoreRatios, fit_ratio
from .watermarks import CLOCK_KEY

__all__ = [
    "CLOCK_KEY",
    "AnomalyPolicy",
    "Assignment",
    "BudgetPolicy",
    "CalibrationPolicy",
    "Desk",
    "ForecastRequest",
    "Outcome",
    "Presence",
    "PresenceModel",
    "RatioCurve",
    "ScoreRatios",
    "Ruling",
    "WarningConfiguration",
    "WarningEngine",
    "WarningPolicy",
    "calibrate",
    "calibration_key",
    "fit_ratio",
    "fit_shape",
    "likelihood_ratio",
]
