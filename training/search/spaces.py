"""What is searched of each family: from a trial to options and fitting settings that make sense for a spec.

Spaces are small on purpose: a district's evening holds dozens of trials, not thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import optuna

from contracts import ForecastSpec

Space = Callable[[optuna.Trial, ForecastSpec, int | None], dict[str, Any]]
"""From a trial, the spec and the season to a family's options."""

LEARNING_RATES = (3e-4, 1e-2)
BATCHES = (32, 64, 128)
_LONG_CONTEXT_SEASONS = 3


def gradient_settings(trial: optuna.Trial) -> dict[str, Any]:
    """Return settings of ``[fitting]`` for a gradient family."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
        "batch_size": trial.suggest_categorical("batch_size", BATCHES),
    }


def _shared(trial: optuna.Trial, season: int | None) -> dict[str, Any]:
    guard = trial.suggest_categorical("guard", (0.0, 5.0, 8.0))
    return {"season": season, "guard": guard or None}


def _ridge(trial: optuna.Trial, spec: ForecastSpec, season: int | None) -> dict[str, Any]:
    seasons = [0, 1, 2, 3, 7] if season else [0]
    fitting = [count for count in seasons if count * (season or 0) <= spec.context]
    look_backs = {spec.context, max(spec.context // 2, 1)} | ({season * 2} if season else set())
    return {
        **_shared(trial, season),
        "scaled": trial.suggest_categorical("scaled", (True, False)),
        "prior_seasons": fitting,
        "look_backs": sorted(length for length in look_backs if length <= spec.context),
        "penalties": [0.001, 0.01, 0.1, 1.0, 10.0],
        "blend": trial.suggest_int("blend", 1, 5),
        "hour_harmonics": trial.suggest_int("hour_harmonics", 0, 4) if _has_hour(spec) else 0,
    }


def _linear(trial: optuna.Trial, spec: ForecastSpec, season: int | None) -> dict[str, Any]:
    harmonics = trial.suggest_int("hour_harmonics", 0, 4) if _has_hour(spec) else 0
    return {**_shared(trial, season), "hour_harmonics": harmonics}


def _dlinear(trial: optuna.Trial, spec: ForecastSpec, season: int | None) -> dict[str, Any]:
    return {**_linear(trial, spec, season), "kernel": trial.suggest_categorical("kernel", (9, 25, 49))}


def _tide(trial: optuna.Trial, spec: ForecastSpec, season: int | None) -> dict[str, Any]:
    return {
        **_linear(trial, spec, season),
        "width": trial.suggest_categorical("width", (64, 128, 256)),
        "depth": trial.suggest_int("depth", 1, 2),
        "dropout": trial.suggest_float("dropout", 0.0, 0.3),
    }


def _nhits(trial: optuna.Trial, spec: ForecastSpec, season: int | None) -> dict[str, Any]:
    return {
        **_linear(trial, spec, season),
        "width": trial.suggest_categorical("width", (64, 128, 256)),
        "dropout": trial.suggest_float("dropout", 0.0, 0.3),
    }


def _patchtst(trial: optuna.Trial, spec: ForecastSpec, season: int | None) -> dict[str, Any]:
    patch = min(16, max(spec.context // _LONG_CONTEXT_SEASONS, 2))
    return {
        **_linear(trial, spec, season),
        "patch": patch,
        "stride": max(patch // 2, 1),
        "width": trial.suggest_categorical("width", (16, 32, 64)),
        "dropout": trial.suggest_float("dropout", 0.0, 0.3),
    }


def _seasonal_naive(trial: optuna.Trial, spec: ForecastSpec, season: int | None) -> dict[str, Any]:  # noqa: ARG001 - one form
    return {"season": min(season or 1, spec.context)}


def _has_hour(spec: ForecastSpec) -> bool:
    return spec.calendar is not None and {"hour_sin", "hour_cos"} <= set(spec.calendar.features)


SPACES: Mapping[str, Space] = {
    "seasonal_naive": _seasonal_naive,
    "ridge": _ridge,
    "nlinear": _linear,
    "dlinear": _dlinear,
    "tide": _tide,
    "nhits": _nhits,
    "patchtst": _patchtst,
}
