"""Every forecasting family, built from its declaration."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from contracts import ForecastSpec, Signature
from gpu import open_session
from models.forecasting import Forecaster, GradientForecaster, export_onnx, families

from .declarations import DECLARATIONS, Declaration, build_fitted, daily_batches, inputs_of
from .networks import FAMILIES

RAW_QUANTILES = [
    one for one in DECLARATIONS if one.family in ("seasonal_naive", "ridge") and not one.options.get("scaled")
]
DESCENDED = [one for one in DECLARATIONS if issubclass(families()[one.family], GradientForecaster)]

# The exporter takes seconds for each of these; test_window_extreme.py exports one of its own.
_LONG_EXPORTS = ("ensemble", "window_extreme", "seasonally_adjusted", "spiking", "patchtst")

each_family = pytest.mark.parametrize("declaration", DECLARATIONS, ids=str)


each_graph = pytest.mark.parametrize(
    "declaration",
    [
        pytest.param(one, marks=[pytest.mark.slow] if one.family in _LONG_EXPORTS else [], id=str(one))
        for one in DECLARATIONS
    ],
)

Graphs = Callable[[Declaration], tuple[Forecaster, Path]]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    """Exports each declaration once: an export takes seconds."""
    folder = tmp_path_factory.mktemp("graphs")

    @lru_cache
    def export(number: int) -> tuple[Forecaster, Path]:
        forecaster, path = build_fitted(DECLARATIONS[number]), folder / f"{number}.onnx"
        export_onnx(forecaster, path)
        return forecaster, path

    return lambda declaration: export(DECLARATIONS.index(declaration))


def hard_context(spec: ForecastSpec) -> torch.Tensor:
    """Windows with gaps at the start, the end, nearly everywhere, and none at all."""
    context = torch.cat([batch.context for batch in daily_batches(spec, count=1, seed=9)])[:5].clone()
    context[0, : spec.context // 2] = torch.nan
    context[1, -spec.context // 2 :] = torch.nan
    context[2, 3:] = torch.nan
    context[2, 0] = 77.0
    context[3] = 101.0
    return context


def test_every_built_in_family_is_declared() -> None:
    assert {declaration.family for declaration in DECLARATIONS} | set(FAMILIES) == set(families())


@each_family
def test_forecast_has_the_declared_shape_dtype_and_order(declaration: Declaration) -> None:
    forecaster = build_fitted(declaration)
    context = hard_context(declaration.spec)
    with torch.no_grad():
        quantiles = forecaster(**inputs_of(declaration.spec, context))
    assert quantiles.shape == (5, declaration.spec.horizon, len(declaration.spec.quantiles))
    forecaster.signature.outputs[0].check(quantiles.numpy())
    assert (quantiles.diff(dim=2) >= 0).all()


@each_family
def test_same_seed_gives_the_same_forecast(declaration: Declaration) -> None:
    context = hard_context(declaration.spec)
    with torch.no_grad():
        assert torch.equal(
            build_fitted(declaration)(**inputs_of(declaration.spec, context)),
            build_fitted(declaration)(**inputs_of(declaration.spec, context)),
        )


@each_family
def test_a_context_without_readings_gives_nan_and_spares_its_neighbours(declaration: Declaration) -> None:
    forecaster = build_fitted(declaration)
    context = hard_context(declaration.spec)
    with torch.no_grad():
        before = forecaster(**inputs_of(declaration.spec, context))
        context[1] = torch.nan
        after = forecaster(**inputs_of(declaration.spec, context))
    assert torch.isnan(after[1]).all()
    kept = [0, 2, 3, 4]
    torch.testing.assert_close(after[kept], before[kept])


@pytest.mark.parametrize("declaration", [one for one in DECLARATIONS if one not in RAW_QUANTILES], ids=str)
def test_forecast_moves_with_the_unit(declaration: Declaration) -> None:
    forecaster = build_fitted(declaration)
    context = hard_context(declaration.spec)[[0, 1, 4]]
    with torch.no_grad():
        torch.testing.assert_close(
            forecaster(**inputs_of(declaration.spec, context * 10)),
            forecaster(**inputs_of(declaration.spec, context)) * 10,
            rtol=1e-3,
            atol=1e-2,
        )


@each_graph
def test_one_graph_matches_torch_at_any_batch_size(declaration: Declaration, graphs: Graphs) -> None:
    forecaster, path = graphs(declaration)
    session = open_session(path)
    assert session.signature == forecaster.signature
    context = hard_context(declaration.spec)
    context[1] = torch.nan
    for size in (1, 5, 37):
        inputs = inputs_of(declaration.spec, context.repeat(8, 1)[:size])
        with torch.no_grad():
            expected = forecaster(**inputs).numpy()
        feeds = {name: tensor.numpy() for name, tensor in inputs.items()}
        given = session.run(feeds)["quantiles"]
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5, equal_nan=True)


@each_graph
def test_the_graph_declares_itself_and_names_no_local_path(declaration: Declaration, graphs: Graphs) -> None:
    forecaster, path = graphs(declaration)
    notes = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    assert Signature.model_validate(json.loads(notes["cityforge.signature"])) == forecaster.signature
    assert ForecastSpec.model_validate_json(notes["cityforge.forecast"]) == declaration.spec
    assert b".py" not in path.read_bytes()


@pytest.mark.parametrize("declaration", DESCENDED, ids=str)
def test_descending_the_loss_lowers_it(declaration: Declaration) -> None:
    forecaster = build_fitted(declaration)
    assert isinstance(forecaster, GradientForecaster)
    batch = daily_batches(declaration.spec, count=1)[0]
    optimiser = torch.optim.Adam(forecaster.parameters(), lr=1e-2)
    first = float(forecaster.loss(batch).detach())
    for _ in range(30):
        optimiser.zero_grad()
        loss = forecaster.loss(batch)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.8 * first
