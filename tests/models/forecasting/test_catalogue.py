from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
import torch

from contracts import ConfigurationError, ForecastSpec, ModelError
from models.forecasting import Forecaster, build_forecaster, catalogue, export_onnx, families

SPEC = ForecastSpec(context=24, horizon=2, interval_s=3600, quantiles=(0.5,))


class Zero(Forecaster):
    """A family from outside."""

    family = "zero"

    def forward(self, context: torch.Tensor, calendar: torch.Tensor | None = None) -> torch.Tensor:
        return context[:, -2:, None] * 0


class Impostor(Forecaster):
    family = "ridge"


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Entry points that an installed package would offer."""
    values: list[str] = []
    monkeypatch.setattr(
        catalogue,
        "entry_points",
        lambda group: EntryPoints([EntryPoint(f"p{i}", value, group) for i, value in enumerate(values)]),
    )
    families.cache_clear()
    yield values
    families.cache_clear()


def test_a_family_from_outside_is_built_like_any_other(plug_in: list[str]) -> None:
    plug_in.append(f"{__name__}:Zero")
    assert build_forecaster("zero", SPEC)(torch.ones(1, 24)).shape == (1, 2, 1)


@pytest.mark.parametrize(
    ("name", "told"),
    [("Impostor", "'ridge', which is taken"), ("SPEC", "not a subclass"), ("Absent", "cannot be loaded")],
)
def test_a_wrong_plug_in_says_which(plug_in: list[str], name: str, told: str) -> None:
    plug_in.append(f"{__name__}:{name}")
    with pytest.raises(ModelError, match=told):
        families()


def test_an_unknown_family_lists_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"Choose one of: autoregression, dlinear, .*nhits, nlinear"):
        build_forecaster("prophet", SPEC)


def test_every_wrong_option_is_told() -> None:
    with pytest.raises(ConfigurationError, match="has 2 problems"):
        build_forecaster("seasonal_naive", SPEC, {"season": 0, "seson": 24})


def test_a_season_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ModelError, match="does not fit into a context of 24"):
        build_forecaster("seasonal_naive", SPEC, {"season": 25})


def test_a_graph_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    forecaster = build_forecaster("seasonal_naive", SPEC)
    with pytest.raises(ModelError, match="cannot be exported"):
        export_onnx(forecaster, tmp_path / "absent" / "model.onnx")
