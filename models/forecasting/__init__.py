"""Forecasters: raw readings in, quantiles of the coming steps out, one ONNX graph each."""

from __future__ import annotations

from .catalogue import ENTRY_POINT_GROUP, build_forecaster, families, option_problems
from .export import example_inputs, export_onnx
from .forecaster import (
    Batch,
    Batches,
    ClosedFormForecaster,
    Forecaster,
    GradientForecaster,
    Options,
    forecast_signature,
    pinball_loss,
)
from .linear import DLinear, LinearOptions, NLinear
from .ridge import Ridge, RidgeOptions
from .scaling import fill_gaps, mask_outliers, window_mean, window_median, window_scale
from .seasonal_naive import SeasonalNaive, SeasonalNaiveOptions

__all__ = [
    "ENTRY_POINT_GROUP",
    "Batch",
    "Batches",
    "ClosedFormForecaster",
    "DLinear",
    "Forecaster",
    "GradientForecaster",
    "LinearOptions",
    "NLinear",
    "Options",
    "Ridge",
    "RidgeOptions",
    "SeasonalNaive",
    "SeasonalNaiveOptions",
    "build_forecaster",
    "example_inputs",
    "export_onnx",
    "families",
    "fill_gaps",
    "forecast_signature",
    "mask_outliers",
    "option_problems",
    "pinball_loss",
    "window_mean",
    "window_median",
    "window_scale",
]
