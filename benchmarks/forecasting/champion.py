"""Fitting our own models in the benchmarks: fit, export to one graph, ask the graph. Nothing is scored outside it."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from contracts import ForecastSpec
from gpu import Session, measure_latency, open_session
from models.forecasting import Batch, DrawnBatches, Forecaster, build_forecaster, export_onnx
from registry import relative_error
from training import FittingSection, fit

LATENCY_RUNS = 50
_MISSING_SHARE = 0.1


@dataclass(frozen=True)
class Champion:
    """Settings of a model, taken by figures of validation data.

    Attributes:
        family: its name.
        options: of the family.
        fitting: of a gradient family.
    """

    family: str
    options: Mapping[str, Any]
    fitting: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted model as its graph.

    Attributes:
        forecaster: the module that was exported.
        session: its open graph.
        fit_s: seconds of fitting.
        parity: greatest relative difference between module and graph, readings struck out.
    """

    forecaster: Forecaster
    session: Session
    fit_s: float
    parity: float

    def ask(self, batch: Batch) -> NDArray[np.float32]:
        """Return the graph's quantiles, shape ``(..., horizon, quantile)``."""
        feeds = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in batch.inputs.items()}
        return np.asarray(self.session.run(feeds)["quantiles"])


def fit_champion(
    champion: Champion, spec: ForecastSpec, train: DrawnBatches, validation: DrawnBatches, seed: int = 0
) -> Fitted:
    """Fit a model, export it and open its graph; a line on the error stream says how long it took."""
    torch.manual_seed(seed)
    forecaster = build_forecaster(champion.family, spec, champion.options)
    started = time.perf_counter()
    fit(forecaster, train, validation, FittingSection(seed=seed, **champion.fitting))
    fit_s = time.perf_counter() - started
    forecaster.eval()
    session = _open(forecaster)
    fitted = Fitted(forecaster, session, fit_s, _measure_parity(forecaster, session, next(iter(validation))))
    print(f"{champion.family}: fitted in {fit_s:.1f} s, parity {fitted.parity:.1e}", file=sys.stderr, flush=True)
    return fitted


def measure_asking(fitted: Fitted, batch: Batch) -> float:
    """Return the median milliseconds of one call with a whole batch."""
    feeds = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in batch.inputs.items()}
    return measure_latency(fitted.session, feeds, runs=LATENCY_RUNS).p50_ms


def _open(forecaster: Forecaster) -> Session:
    with tempfile.TemporaryDirectory(prefix="cityforge-") as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(forecaster, path)
        return open_session(path)


def _measure_parity(forecaster: Forecaster, session: Session, batch: Batch) -> float:
    inputs = {name: tensor[:64].clone() for name, tensor in batch.inputs.items()}
    struck = torch.from_numpy(np.random.default_rng(0).random(inputs["context"].shape) < _MISSING_SHARE)
    inputs["context"][struck] = torch.nan
    with torch.no_grad():
        expected = forecaster(**inputs).numpy()
    given = session.run({name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()})["quantiles"]
    return relative_error(expected, given)
