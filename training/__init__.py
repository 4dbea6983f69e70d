"""How a candidate is made: recipes, data sources, windows, fitting, evaluation, export, registration."""

from __future__ import annotations

from .checkpoint import Checkpoint
from .covariates import Covariates
from .dataset import Dataset
from .disturbance import DisturbanceRule
from .evaluation import Predict, RollingForecasts, Scores, roll, score
from .fitting import Epoch, Progress, fit
from .networks import NetworkWindows
from .pipeline import TrainingResult, evaluate_report, predict_with, train
from .plots import plot_evaluation, use_chinese_font
from .recipe import FittingSection, Recipe, load_recipe, parse_recipe
from .series import Series, regular_series
from .sources import read_series
from .windows import Origins, SeriesBuffer, WindowBatches

__all__ = [
    "Checkpoint",
    "Covariates",
    "Dataset",
    "DisturbanceRule",
    "Epoch",
    "FittingSection",
    "NetworkWindows",
    "Origins",
    "Predict",
    "Progress",
    "Recipe",
    "RollingForecasts",
    "Scores",
    "Series",
    "SeriesBuffer",
    "TrainingResult",
    "WindowBatches",
    "evaluate_report",
    "fit",
    "load_recipe",
    "parse_recipe",
    "plot_evaluation",
    "predict_with",
    "read_series",
    "regular_series",
    "roll",
    "score",
    "train",
    "use_chinese_font",
]
