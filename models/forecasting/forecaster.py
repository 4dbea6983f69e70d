"""What every forecaster is: a module from raw readings to raw quantiles, with its declaration beside it.

Scaling, missing values, covariates and monotone quantiles all live inside ``forward``, so that the exported graph
needs nothing around it. How it is fitted is the family's choice: a closed-form solution or a loss to descend.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from contracts import Axis, AxisName, DType, ForecastSpec, Signature, TensorSpec

from .scaling import window_scale


class Options(BaseModel):
    """Settings of a family; each family declares its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows of readings.

    Attributes:
        context: shape ``(batch, time)``, raw units, NaN where missing.
        target: shape ``(batch, horizon)``, raw units, NaN where missing or left out.
        calendar: shape ``(batch, context + horizon, feature)``, or None where the spec takes none.
    """

    context: Tensor
    target: Tensor
    calendar: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that ``forward`` takes, in the order of the signature."""
        return (self.context,) if self.calendar is None else (self.context, self.calendar)


Batches = Iterable[Batch]
"""Windows in batches; iterating again starts again."""


class Forecaster(nn.Module):
    """Base of all families.

    Args:
        spec: context, horizon, quantiles and calendar.
        options: the family's settings.
    """

    family: ClassVar[str]
    Settings: ClassVar[type[Options]] = Options

    levels: Tensor

    def __init__(self, spec: ForecastSpec, options: Options) -> None:
        super().__init__()
        self.spec = spec
        self.options = options
        self.register_buffer("levels", torch.tensor(spec.quantiles, dtype=torch.float32), persistent=False)

    @property
    def signature(self) -> Signature:
        """Inputs and output, as the exported graph has them."""
        return forecast_signature(self.spec)

    def forward(self, context: Tensor, calendar: Tensor | None = None) -> Tensor:
        """Forecast the coming steps.

        Args:
            context: shape ``(batch, time)``, raw units, NaN where missing.
            calendar: shape ``(batch, context + horizon, feature)`` where the spec has a calendar.

        Returns:
            Quantiles, shape ``(batch, horizon, quantile)``, raw units, non-decreasing along quantile; NaN where the
            context holds no finite reading at all.
        """
        raise NotImplementedError

    def describe(self) -> dict[str, float | int | str]:
        """Return what fitting chose, for the model card."""
        return {}


class ClosedFormForecaster(Forecaster):
    """A family that is solved, not descended."""

    def solve(self, train: Batches, validation: Batches) -> None:
        """Fit on ``train``, choosing settings on ``validation``.

        Raises:
            ModelError: if the data cannot determine the model.
        """
        raise NotImplementedError


class GradientForecaster(Forecaster):
    """A family that is fitted by descending its loss."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean pinball loss over finite targets, in units of each window's spread (a scalar)."""
        quantiles = self(*batch.inputs)
        return pinball_loss(quantiles / window_scale(batch.context)[:, :, None], _scaled_target(batch), self.levels)


def _scaled_target(batch: Batch) -> Tensor:
    return batch.target / window_scale(batch.context)


def pinball_loss(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Return the mean quantile loss over finite targets (Koenker and Bassett, 1978).

    Args:
        quantiles: shape ``(batch, horizon, quantile)``.
        target: shape ``(batch, horizon)``; NaN is left out.
        levels: probabilities, shape ``(quantile,)``.
    """
    known = torch.isfinite(target) & torch.isfinite(quantiles[..., 0])
    error = (target.nan_to_num() - quantiles.transpose(0, 2).transpose(1, 2))[:, known]  # (quantile, known)
    loss = torch.maximum(levels[:, None] * error, (levels[:, None] - 1) * error)
    return loss.sum() / loss.numel() if loss.numel() else quantiles.sum() * 0


def forecast_signature(spec: ForecastSpec) -> Signature:
    """Return the signature that every forecaster of a spec has."""
    batch = Axis(name=AxisName.BATCH)
    inputs = [
        TensorSpec(
            name="context",
            axes=(batch, Axis(name=AxisName.TIME, size=spec.context)),
            dtype=DType.FLOAT32,
            unit=spec.unit,
            missing=True,
        )
    ]
    if spec.calendar is not None:
        time = Axis(name=AxisName.TIME, size=spec.context + spec.horizon)
        feature = Axis(name=AxisName.FEATURE, size=len(spec.calendar.features))
        inputs.append(TensorSpec(name="calendar", axes=(batch, time, feature)))
    horizon = Axis(name=AxisName.HORIZON, size=spec.horizon)
    quantile = Axis(name=AxisName.QUANTILE, size=len(spec.quantiles))
    output = TensorSpec(name="quantiles", axes=(batch, horizon, quantile), unit=spec.unit)
    return Signature(inputs=tuple(inputs), outputs=(output,))
