"""The extreme of the window: its own quantiles, a tail beyond them, in the same graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from contracts import ConfigurationError, ForecastSpec, ModelError
from gpu import open_session
from models.forecasting import Batch, ClosedFormForecaster, WindowExtreme, build_forecaster, export_onnx
from models.forecasting.window_extreme import fit_tail, tail_quantiles

SPEC = ForecastSpec(context=24, horizon=6, interval_s=3600, quantiles=(0.05, 0.5, 0.95), unit="l/s")
MEMBER = {"family": "ridge", "options": {"penalties": [1.0], "centred": True}}


def noisy_batch(seed: int, count: int = 4000) -> Batch:
    """Heavy-tailed noise around unlike levels: the maximum of six steps lies far above each step's own interval."""
    generator = np.random.default_rng(seed)
    values = generator.uniform(50, 150, (count, 1)) + generator.standard_t(4, (count, SPEC.context + SPEC.horizon))
    windows = torch.from_numpy(values.astype(np.float32))
    return Batch(windows[:, : SPEC.context], windows[:, SPEC.context :])


def settled(sign: float = 1.0, **options: Any) -> WindowExtreme:
    forecaster = build_forecaster("window_extreme", SPEC, {"members": [MEMBER], **options})
    assert isinstance(forecaster, WindowExtreme)
    member = forecaster.members[0]
    assert isinstance(member, ClosedFormForecaster)
    train, validation = (Batch(sign * one.context, sign * one.target) for one in (noisy_batch(0), noisy_batch(1)))
    with torch.no_grad():
        member.solve([train], [validation])
        forecaster.settle([validation])
    return forecaster.eval()


def test_each_line_of_the_extreme_is_passed_as_often_as_it_says_and_marginals_are_not() -> None:
    forecaster, later = settled(tail=[0.01, 0.002]), noisy_batch(2, count=20_000)
    with torch.no_grad():
        steps, extreme = forecaster.outputs(later.context, forecaster(**later.inputs))
    highest = later.target.amax(1)
    below = (highest[:, None] <= extreme).float().mean(0)
    assert forecaster.extreme_levels == (0.05, 0.5, 0.95, 0.99, 0.998)
    np.testing.assert_allclose(below, forecaster.extreme_levels, atol=0.02)
    np.testing.assert_allclose(1 - below[3:], [0.01, 0.002], rtol=0.5)
    assert (extreme.diff(dim=1) >= 0).all()
    assert (highest <= steps[:, :, -1].amax(1)).float().mean() < 0.85


def test_the_lowest_of_mirrored_readings_is_the_mirrored_highest() -> None:
    high, low, batch = settled(), settled(-1.0, direction="low"), noisy_batch(3, count=5)
    with torch.no_grad():
        top = high.outputs(batch.context, high(batch.context))[1]
        bottom = low.outputs(-batch.context, low(-batch.context))[1]
    torch.testing.assert_close(bottom, -top.flip(1), rtol=1e-4, atol=1e-4)
    assert low.extreme_levels[0] == pytest.approx(0.0001)


def test_one_graph_gives_steps_and_extreme(tmp_path: Path) -> None:
    forecaster, path, batch = settled(), tmp_path / "model.onnx", noisy_batch(4, count=7)
    batch.context[0, 3:9] = torch.nan
    batch.context[1] = torch.nan
    export_onnx(forecaster, path)
    session = open_session(path)
    assert session.signature == forecaster.signature
    with torch.no_grad():
        expected = forecaster.outputs(batch.context, forecaster(batch.context))
    given = session.run({"context": batch.context.numpy()})
    for name, tensor in zip(("quantiles", "extreme"), expected, strict=True):
        np.testing.assert_allclose(given[name], tensor.numpy(), rtol=1e-5, atol=1e-5, equal_nan=True)
    assert np.isnan(given["extreme"][1]).all()
    notes = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    assert json.loads(notes["cityforge.extreme"]) == {"levels": list(forecaster.extreme_levels), "direction": "high"}


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_a_tail_is_found_from_its_own_draws(shape: float) -> None:
    shares = torch.from_numpy(np.random.default_rng(0).uniform(size=20_000))
    found = fit_tail(tail_quantiles(2.0, shape, shares))
    assert found == pytest.approx((2.0, shape), abs=0.1)


def test_a_tail_heavier_than_can_be_told_keeps_its_mean_excess() -> None:
    excesses = tail_quantiles(1.0, 0.9, torch.from_numpy(np.random.default_rng(0).uniform(size=5000)))
    scale, shape = fit_tail(excesses)
    assert shape == 0.5
    assert scale / (1 - shape) == pytest.approx(float(excesses.mean()))


def test_too_few_windows_for_a_tail_are_refused() -> None:
    forecaster = build_forecaster("window_extreme", SPEC, {"members": [{"family": "seasonal_naive"}]})
    assert isinstance(forecaster, WindowExtreme)
    with pytest.raises(ModelError, match="needs 160 whole validation windows, given 100"):
        forecaster.settle([noisy_batch(0, count=100)])


def test_settings_that_make_no_extreme_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="one extreme, 'high' or 'low', given 'both'"):
        build_forecaster("window_extreme", SPEC, {"members": [MEMBER], "direction": "both"})
    with pytest.raises(ModelError, match="must lie beyond the outermost quantile"):
        build_forecaster("window_extreme", SPEC, {"members": [MEMBER], "tail": [0.1]})
    with pytest.raises(ModelError, match="takes one member, given 2"):
        build_forecaster("window_extreme", SPEC, {"members": [MEMBER, MEMBER]})
