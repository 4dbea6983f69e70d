"""How each family is built small: one line here brings a family under every smoke test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from contracts import CalendarSpec, ForecastSpec, calendar_features
from models.forecasting import Batch, ClosedFormForecaster, Forecaster, build_forecaster

SPEC = ForecastSpec(
    context=48, horizon=6, interval_s=3600, quantiles=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95), unit="l/s"
)
SPEC_WITH_CALENDAR = SPEC.model_copy(update={"calendar": CalendarSpec(timezone="Europe/Rome", country="IT")})

SPEC_WITH_COVARIATES = SPEC_WITH_CALENDAR.model_copy(update={"known": ("closure",), "static": ("lanes", "slope")})


@dataclass(frozen=True)
class Declaration:
    family: str
    options: dict[str, Any] = field(default_factory=dict)
    spec: ForecastSpec = SPEC

    def __str__(self) -> str:
        shown = (value for value in self.options.values() if not isinstance(value, (list, dict)))
        return "-".join([self.family, *(str(value) for value in shown)])


DECLARATIONS = (
    Declaration("seasonal_naive"),
    Declaration("ridge"),
    Declaration("ridge", {"season": 24, "guard": 6.0, "prior_seasons": [0, 1], "look_backs": [24, 48], "blend": 3}),
    Declaration("ridge", {"scaled": True, "criterion": "mse"}),
    Declaration("ridge", {"hour_harmonics": 2, "recalibrate": True}, SPEC_WITH_CALENDAR),
    Declaration("autoregression", {"lags": [1, 2, 24], "seasons": [24], "look_back": 36, "season": 24}),
    Declaration(
        "autoregression",
        {"lags": [1, 24], "seasons": [24], "look_back": 24, "signs": 3, "logarithm": True},
        SPEC.model_copy(update={"static": ("sign_number",)}),
    ),
    Declaration("nlinear", {"season": 24, "guard": 6.0}),
    Declaration("dlinear", {"hour_harmonics": 2}, SPEC_WITH_CALENDAR),
    Declaration("tide", {"width": 16, "season": 24, "prior_seasons": [24], "scaling": "log", "guard": 6.0}),
    Declaration(
        "tide", {"width": 16, "covariate_width": 8, "losses": {"seasonal": 1, "symmetric": 5}}, SPEC_WITH_COVARIATES
    ),
    Declaration("nhits", {"width": 16, "pooling": [5, 1], "scaling": "level"}),
    Declaration("patchtst", {"width": 8, "heads": 2, "depth": 1, "patch": 8, "stride": 5}),
    Declaration("spiking", {"width": 16, "patch": 5}),
    Declaration(
        "ensemble", {"members": [{"family": "ridge"}, {"family": "tide", "options": {"width": 8}, "copies": 2}]}
    ),
    Declaration("window_extreme", {"members": [{"family": "seasonal_naive"}], "tail": [0.01]}),
    Declaration("seasonally_adjusted", {"season": 22, "members": [{"family": "nlinear"}]}),
)


def daily_batches(spec: ForecastSpec, count: int = 3, seed: int = 0) -> list[Batch]:
    """Noisy daily cycles at unlike levels, a tenth of the readings missing."""
    generator = np.random.default_rng(seed)
    time = np.arange(spec.context + spec.horizon)
    batches = []
    for _ in range(count):
        phase = generator.uniform(0, 2 * np.pi, (32, 1))
        level = generator.uniform(50, 150, (32, 1))
        values = level + 5 * np.sin(2 * np.pi * time / 24 + phase) + generator.normal(0, 0.5, (32, len(time)))
        values[generator.random(values.shape) < 0.1] = np.nan
        windows = torch.from_numpy(values.astype(np.float32))
        inputs = inputs_of(spec, windows[:, : spec.context])
        batches.append(Batch(target=windows[:, spec.context :], **inputs))
    return batches


def calendar_of(spec: ForecastSpec, count: int) -> torch.Tensor:
    """The calendar of windows that start one hour after each other."""
    assert spec.calendar is not None
    hours = np.arange(count)[:, None] + np.arange(spec.context + spec.horizon)
    return torch.from_numpy(calendar_features(1_700_000_000_000 + hours * 3_600_000, spec.calendar))


def inputs_of(spec: ForecastSpec, context: torch.Tensor) -> dict[str, torch.Tensor]:
    """The tensors that a forecaster of the spec takes, for a context."""
    generator = torch.Generator().manual_seed(1)
    inputs, count = {"context": context}, len(context)
    if spec.calendar is not None:
        inputs["calendar"] = calendar_of(spec, count)
    if spec.known:
        inputs["known"] = torch.rand(count, spec.context + spec.horizon, len(spec.known), generator=generator)
    if spec.static:
        inputs["static"] = torch.rand(count, len(spec.static), generator=generator)
    return inputs


def build_fitted(declaration: Declaration, seed: int = 0) -> Forecaster:
    """Build a family and fit it where that takes no descent."""
    torch.manual_seed(seed)
    forecaster = build_forecaster(declaration.family, declaration.spec, declaration.options)
    if isinstance(forecaster, ClosedFormForecaster):
        batches = daily_batches(declaration.spec)
        with torch.no_grad():
            forecaster.solve(batches[:2], batches[2:])
    return forecaster.eval()
