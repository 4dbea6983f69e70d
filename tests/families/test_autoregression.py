"""Each sign's own autoregression, and what all share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from contracts import ForecastSpec, ModelError
from models.forecasting import Autoregression, build_forecaster
from training import Covariates, FittingSection, Origins, Series, SeriesBuffer, WindowBatches, fit

SPEC = ForecastSpec(context=24, horizon=6, interval_s=3600, quantiles=(0.05, 0.5, 0.95), static=("sign_number",))
OPTIONS = {"lags": [1, 2], "seasons": [1], "look_back": 24, "signs": 2, "penalty": 1e-6}
COEFFICIENTS = ((1.6, -0.9), (0.3, -0.5))


def walks(count: int = 3000, seed: int = 0) -> list[np.ndarray]:
    """Two signs that swing in their own ways."""
    generator = np.random.default_rng(seed)
    rows = []
    for first, second in COEFFICIENTS:
        values = np.zeros(count)
        for step in range(2, count):
            values[step] = first * values[step - 1] + second * values[step - 2] + generator.normal()
        rows.append((100 + values).astype(np.float32))
    return rows


def windows(rows: list[np.ndarray], first: int, end: int) -> WindowBatches:
    series = [Series(str(number), 0, 3600, row) for number, row in enumerate(rows)]
    numbers = np.arange(len(rows), dtype=np.float32)[:, None]
    buffer = SeriesBuffer(series, SPEC, Covariates(tuple(one.sign for one in series), None, numbers))
    origins = [Origins(number, first, end - SPEC.horizon) for number in range(len(rows))]
    return WindowBatches(buffer, buffer, origins)


def fitted(rows: list[np.ndarray], **options: Any) -> Autoregression:
    forecaster = build_forecaster("autoregression", SPEC, {**OPTIONS, **options})
    assert isinstance(forecaster, Autoregression)
    fit(forecaster, windows(rows, 24, 2000), windows(rows, 2000, 2500), FittingSection())
    return forecaster.eval()


def test_each_sign_finds_the_coefficients_it_was_drawn_from() -> None:
    forecaster = fitted(walks())
    np.testing.assert_allclose(forecaster.weight[:2].numpy(), COEFFICIENTS, atol=0.1)
    assert 0.5 < float(forecaster.weight[2, 0]) < 1.4  # of lag 1, what both share
    assert "shared_lag_1" in forecaster.describe()


def test_the_horizon_is_the_recursion_step_by_step() -> None:
    forecaster = fitted(walks())
    batch = windows(walks(), 2600, 2700).take(np.array([7]))
    assert batch.static is not None
    mean = float(batch.context.mean())
    path = [float(value) - mean for value in batch.context[0]]
    first, second = forecaster.weight[int(batch.static[0, 0])].tolist()
    for _ in range(SPEC.horizon):
        path.append(first * path[-1] + second * path[-2])
    with torch.no_grad():
        median = forecaster(batch.context, static=batch.static)[0, :, 1]
    np.testing.assert_allclose(median.numpy() - mean, path[-SPEC.horizon :], rtol=1e-3, atol=1e-3)


def test_intervals_hold_what_they_say_for_calm_and_swinging_signs_alike() -> None:
    forecaster = fitted(walks())
    for sign in range(2):
        later = windows(walks(), 2500, 3000)
        numbers = np.flatnonzero(later.positions(np.arange(len(later)))[0] == sign)
        batch = later.take(numbers)
        with torch.no_grad():
            quantiles = forecaster(batch.context, static=batch.static)
        inside = (batch.target >= quantiles[..., 0]) & (batch.target <= quantiles[..., 2])
        assert 0.8 < inside.float().mean() < 0.98


def test_outliers_move_reweighted_coefficients_less() -> None:
    rows = walks()
    rows[0][100:2000:100] += 60
    spoilt, steady = (fitted(rows, reweightings=passes).weight[0].numpy() for passes in (0, 4))
    truth = np.array(COEFFICIENTS[0])
    assert np.abs(steady - truth).max() < 0.5 * np.abs(spoilt - truth).max()


def test_a_sign_that_was_not_fitted_is_forecast_by_what_all_share() -> None:
    forecaster, batch = fitted(walks()), windows(walks(), 2600, 2700).take(np.arange(3))
    with torch.no_grad():
        given = [forecaster(batch.context, static=torch.full((3, 1), number)) for number in (2.0, -1.0, 0.5, torch.nan)]
        own = forecaster(batch.context, static=batch.static)
    for other in given[1:]:
        torch.testing.assert_close(other, given[0])
    assert not torch.allclose(own, given[0])


def test_settings_that_do_not_fit_together_are_refused() -> None:
    for options, message in (
        ({"lags": [1, 30]}, "must lie within 1 and look_back"),
        ({"lags": [2], "seasons": [1]}, "must be among the lags"),
    ):
        with pytest.raises(ModelError, match=message):
            build_forecaster("autoregression", SPEC, {**OPTIONS, **options})
    with pytest.raises(ModelError, match="need the static covariate 'sign_number'"):
        build_forecaster("autoregression", SPEC.model_copy(update={"static": ()}), OPTIONS)
