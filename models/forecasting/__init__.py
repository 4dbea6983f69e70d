"""Forecasters: raw readings in, quantiles of the coming steps out, one ONNX graph each."""

from __future__ import annotations

from .autoregression import Autoregression, AutoregressionOptions
from .catalogue import ENTRY_POINT_GROUP, build_forecaster, families, option_problems
from .composite import AdaptedBatches, CompositeForecaster, CompositeOptions, DrawnBatches, MemberOptions
from .ensemble import Ensemble
from .export import example_inputs, export_onnx
from .forecaster import (
    Batch,
    Batches,
    ClosedFormForecaster,
    Forecaster,
    GradientForecaster,
    Options,
    forecast_signature,
)
from .graph_linear import GraphLinear, GraphLinearOptions
from .linear import DLinear, LinearOptions, NLinear
from .losses import LossUnit, pinball_loss
from .network import NetworkOptions, adjacency, fill_network
from .neural import NeuralForecaster, NeuralOptions, Scaling
from .nhits import NHits, NHitsOptions
from .patchtst import PatchTST, PatchTSTOptions
from .priors import seasonal_prior
from .ridge import Ridge, RidgeOptions
from .scaling import fill_gaps, mask_outliers, window_mean, window_median, window_scale
from .seasonal_adjustment import SeasonalAdjustmentOptions, SeasonallyAdjusted
from .seasonal_naive import SeasonalNaive, SeasonalNaiveOptions
from .spiking import SpikeCount, Spiking, SpikingOptions
from .tgcn import TGCN, TGCNOptions
from .tide import Tide, TideOptions
from .window_extreme import WindowExtreme, WindowExtremeOptions

__all__ = [
    "NetworkOptions",
    "adjacency",
    "fill_network",
    "GraphLinear",
    "GraphLinearOptions",
    "TGCN",
    "TGCNOptions",
    "NHits",
    "NHitsOptions",
    "PatchTST",
    "PatchTSTOptions",
    "SpikeCount",
    "Spiking",
    "SpikingOptions",
    "ENTRY_POINT_GROUP",
    "AdaptedBatches",
    "Autoregression",
    "AutoregressionOptions",
    "Batch",
    "Batches",
    "ClosedFormForecaster",
    "CompositeForecaster",
    "CompositeOptions",
    "DLinear",
    "DrawnBatches",
    "Ensemble",
    "Forecaster",
    "GradientForecaster",
    "LinearOptions",
    "LossUnit",
    "MemberOptions",
    "NLinear",
    "NeuralForecaster",
    "NeuralOptions",
    "Options",
    "Ridge",
    "RidgeOptions",
    "Scaling",
    "SeasonalAdjustmentOptions",
    "SeasonalNaive",
    "SeasonalNaiveOptions",
    "SeasonallyAdjusted",
    "Tide",
    "TideOptions",
    "WindowExtreme",
    "WindowExtremeOptions",
    "build_forecaster",
    "example_inputs",
    "export_onnx",
    "families",
    "fill_gaps",
    "forecast_signature",
    "mask_outliers",
    "option_problems",
    "pinball_loss",
    "seasonal_prior",
    "window_mean",
    "window_median",
    "window_scale",
]
