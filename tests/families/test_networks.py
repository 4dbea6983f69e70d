"""The families that forecast all series of a network at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from contracts import DataError, ModelError, Signature
from gpu import open_session
from models.forecasting import GradientForecaster, build_forecaster, export_onnx, fill_network
from training import FittingSection, NetworkWindows, fit

from .networks import FAMILIES, SPEC, build_fitted, hard_batch, road_windows

each_family = pytest.mark.parametrize("family", FAMILIES)


@each_family
def test_forecast_has_the_declared_shape_and_order_and_spares_its_neighbours(family: str) -> None:
    forecaster, batch = build_fitted(family), hard_batch()
    with torch.no_grad():
        quantiles = forecaster(**batch.inputs)
        again = build_fitted(family)(**batch.inputs)
    torch.testing.assert_close(again, quantiles, rtol=0, atol=0, equal_nan=True)
    forecaster.signature.outputs[0].check(quantiles[[0, 1, 3, 4]].numpy())
    assert torch.isnan(quantiles[2]).all()
    assert (quantiles[[0, 1, 3, 4]].diff(dim=3) >= 0).all()


@each_family
def test_one_graph_matches_torch_at_any_batch_size(family: str, tmp_path: Path) -> None:
    forecaster, path = build_fitted(family), tmp_path / "model.onnx"
    export_onnx(forecaster, path)
    session, batch = open_session(path), hard_batch()
    notes = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    assert Signature.model_validate(json.loads(notes["cityforge.signature"])) == forecaster.signature
    for size in (1, 5):
        inputs = {name: tensor[:size] for name, tensor in batch.inputs.items()}
        with torch.no_grad():
            expected = forecaster(**inputs).numpy()
        given = session.run({name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()})
        np.testing.assert_allclose(given["quantiles"], expected, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_the_linear_network_learns_what_only_a_neighbour_knows() -> None:
    forecaster = build_fitted("graph_linear")
    batch = next(iter(road_windows(count=300, seed=5, missing=0.0)))
    with torch.no_grad():
        median = forecaster(**batch.inputs)[..., 1]
    held = batch.context[:, :, -1:].expand(-1, -1, SPEC.horizon)
    error, naive = ((each - batch.target)[:, 2:].abs().mean() for each in (median, held))
    assert error < 0.3 * naive
    assert set(forecaster.describe()) == {"series_penalty", "state_penalty"}


def test_a_silent_series_is_forecast_from_the_rest_of_the_network() -> None:
    batch = hard_batch()
    filled = fill_network(batch.context)
    torch.testing.assert_close(filled[0, 1], filled[0, [0, 2, 3]].mean(0))
    assert torch.isnan(filled[2]).all()


def test_descending_the_loss_of_tgcn_lowers_it() -> None:
    forecaster = build_forecaster("tgcn", SPEC, FAMILIES["tgcn"])
    assert isinstance(forecaster, GradientForecaster)
    windows = road_windows()
    epochs = fit(
        forecaster, windows, windows.thinned(64), FittingSection(epochs=3, steps_per_epoch=30, learning_rate=0.02)
    )
    assert epochs[-1].validation < 0.9 * epochs[0].train


@pytest.mark.parametrize("edge", [(0, 4, 1.0), (-1, 2, 1.0), (0, 1, 0.0)])
def test_an_edge_that_leads_nowhere_is_refused(edge: tuple[int, int, float]) -> None:
    with pytest.raises(ModelError, match="do not join series 0 to 3"):
        build_forecaster("tgcn", SPEC, {"edges": [edge]})


def test_a_network_family_and_a_spec_of_one_series_do_not_meet() -> None:
    with pytest.raises(ModelError, match="all series of a network"):
        build_forecaster("tgcn", SPEC.model_copy(update={"series": None}), FAMILIES["tgcn"])
    with pytest.raises(ModelError, match="forecasts one series"):
        build_forecaster("nlinear", SPEC)


def test_windows_of_a_network_need_one_grid_and_lie_within_it() -> None:
    windows = road_windows(count=40)
    assert len(windows) == 40 - SPEC.horizon + 1 - SPEC.context - 3
    first = windows.take(np.arange(1))
    assert first.context.shape == (1, 4, 12)
    assert first.calendar is not None
    assert first.calendar.shape == (1, 15, 2)
    series = road_windows(count=40)._series
    with pytest.raises(DataError, match="on one grid"):
        NetworkWindows([*series[:3], replace(series[3], start_ms=300_000)], SPEC, np.array([12]))
    with pytest.raises(DataError, match="do not fit into 40"):
        NetworkWindows(series, SPEC, np.array([39]))
