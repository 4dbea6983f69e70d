"""How each family for networks is built small, and a network whose second half follows its first."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from contracts import CalendarFeature, CalendarSpec, ForecastSpec, to_ms
from contracts.clock import from_ms
from models.forecasting import Batch, ClosedFormForecaster, Forecaster, build_forecaster
from training import NetworkWindows, Series

SPEC = ForecastSpec(
    context=12,
    horizon=3,
    interval_s=300,
    quantiles=(0.05, 0.5, 0.95),
    unit="km/h",
    calendar=CalendarSpec(
        timezone="Asia/Shanghai", country=None, features=(CalendarFeature.HOUR_SIN, CalendarFeature.HOUR_COS)
    ),
    series=4,
)
EDGES = [(0, 2, 1.0), (1, 3, 0.5), (2, 2, 1.0)]
FAMILIES: dict[str, dict[str, Any]] = {
    "graph_linear": {"edges": EDGES, "hour_harmonics": 2},
    "tgcn": {"edges": EDGES, "width": 8, "hour_harmonics": 1},
}


def road_windows(count: int = 400, seed: int = 0, missing: float = 0.05) -> NetworkWindows:
    """Series 2 and 3 are series 0 and 1 three steps later: what only a neighbour can know."""
    generator = np.random.default_rng(seed)
    steps = np.arange(count)
    walks = 60 + 5 * np.sin(2 * np.pi * steps / 288) + np.cumsum(generator.normal(0, 1, (2, count)), 1)
    values = np.concatenate([walks, np.roll(walks, 3, axis=1)]).astype(np.float32)
    values += generator.normal(0, 0.05, values.shape).astype(np.float32)
    values[generator.random(values.shape) < missing] = np.nan
    series = [Series(str(number), to_ms(from_ms(0)), 300, row) for number, row in enumerate(values)]
    return NetworkWindows(series, SPEC, np.arange(SPEC.context + 3, count - SPEC.horizon + 1))


def build_fitted(family: str, seed: int = 0) -> Forecaster:
    """Build a family and fit it where that takes no descent."""
    torch.manual_seed(seed)
    forecaster = build_forecaster(family, SPEC, FAMILIES[family])
    if isinstance(forecaster, ClosedFormForecaster):
        with torch.no_grad():
            forecaster.solve(road_windows(), road_windows(seed=1))
    return forecaster.eval()


def hard_batch() -> Batch:
    """Windows with a silent series, with late gaps, and with nothing at all."""
    batch = road_windows(seed=2).take(np.arange(5))
    batch.context[0, 1] = torch.nan
    batch.context[1, :, -4:] = torch.nan
    batch.context[2] = torch.nan
    return batch
