from __future__ import annotations

import pytest
import torch

from contracts import CalendarSpec, ForecastSpec, ModelError
from models.forecasting import Batch, Ridge, build_forecaster
from models.forecasting.ridge import seasonal_prior

SPEC = ForecastSpec(context=48, horizon=6, interval_s=3600, quantiles=(0.1, 0.5, 0.9))


def noisy(windows: int = 60, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(windows)[:, None] + torch.arange(54)
    values = 100 + 5 * torch.sin(2 * torch.pi * time / 24) + torch.randn(time.shape, generator=generator)
    return Batch(values[:, :48], values[:, 48:])


def test_the_prior_averages_the_last_seasons() -> None:
    week = torch.arange(48.0, dtype=torch.float64)
    assert (week @ seasonal_prior(48, 3, season=24, seasons=2)).tolist() == [12.0, 13.0, 14.0]
    assert (week @ seasonal_prior(48, 26, season=24, seasons=1))[24].item() == 24.0
    assert seasonal_prior(48, 3, season=24, seasons=0).count_nonzero() == 0


def test_a_heavy_penalty_falls_back_to_the_prior() -> None:
    ridge = build_forecaster("ridge", SPEC, {"season": 24, "prior_seasons": [1], "penalties": [1e9]})
    assert isinstance(ridge, Ridge)
    batch = noisy()
    ridge.solve([batch], [noisy(seed=1)])
    predicted = ridge(batch.context)[:, :, 1] - ridge.residuals.offsets[:, 1]
    torch.testing.assert_close(predicted, batch.context[:, 24:30], rtol=1e-3, atol=1e-2)


def test_validation_chooses_and_the_choice_is_told() -> None:
    ridge = build_forecaster("ridge", SPEC, {"season": 24, "prior_seasons": [1], "penalties": [1e-12, 10.0]})
    assert isinstance(ridge, Ridge)
    ridge.solve([noisy(40)], [noisy(seed=1)])  # fewer windows than coefficients: the light penalty overfits
    assert ridge.describe()["penalty"] == 10.0


def test_quantiles_cover_what_they_say() -> None:
    ridge = build_forecaster("ridge", SPEC, {"season": 24, "prior_seasons": [1], "penalties": [1.0]})
    assert isinstance(ridge, Ridge)
    ridge.solve([noisy(400)], [noisy(400, seed=1)])
    fresh = noisy(400, seed=2)
    quantiles = ridge(fresh.context)
    inside = (fresh.target >= quantiles[:, :, 0]) & (fresh.target <= quantiles[:, :, 2])
    assert 0.74 < inside.float().mean() < 0.86


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"look_backs": [96]}, "must lie within 1 and the context of 48"),
        ({"prior_seasons": [1]}, "needs a season"),
        ({"season": 24, "prior_seasons": [3]}, "No look-back"),
        ({"hour_harmonics": 1}, "needs a calendar"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        build_forecaster("ridge", SPEC, options).solve([noisy()], [noisy()])  # type: ignore[attr-defined]


def test_no_targets_is_an_error() -> None:
    ridge = build_forecaster("ridge", SPEC)
    assert isinstance(ridge, Ridge)
    batch = noisy()
    empty = Batch(batch.context, torch.full_like(batch.target, torch.nan))
    with pytest.raises(ModelError, match="Widen the train window"):
        ridge.solve([empty], [empty])


def test_harmonics_of_the_hour_are_sines_and_cosines() -> None:
    calendar = CalendarSpec(timezone="UTC", country=None)
    spec = SPEC.model_copy(update={"calendar": calendar})
    ridge = build_forecaster("ridge", spec, {"hour_harmonics": 3})
    assert isinstance(ridge, Ridge)
    angle = 2 * torch.pi * torch.arange(24.0) / 24
    features = torch.zeros(24, 54, len(calendar.features))
    features[:, 48, 0], features[:, 48, 1] = angle.sin(), angle.cos()
    waves = ridge.harmonics(torch.zeros(24, 48), features)
    expected = torch.stack([part for k in (1, 2, 3) for part in ((k * angle).cos(), (k * angle).sin())], 1)
    torch.testing.assert_close(waves, expected, atol=1e-5, rtol=0)
