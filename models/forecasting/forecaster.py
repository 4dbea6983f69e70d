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

from contracts import Axis, AxisName, ForecastSpec, ModelError, Signature, TensorSpec

from .losses import pinball_loss
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
        known: shape ``(batch, context + horizon, feature)``, or None likewise.
        static: shape ``(batch, feature)``, or None likewise.

    Windows of a network have a series axis behind the batch in context, target, known and static.
    """

    context: Tensor
    target: Tensor
    calendar: Tensor | None = None
    known: Tensor | None = None
    static: Tensor | None = None

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The tensors that ``forward`` takes, by their names in the signature."""
        tensors = {"context": self.context, "calendar": self.calendar, "known": self.known, "static": self.static}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}


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
    takes_covariates: ClassVar[bool] = False
    """Whether it takes covariates that are known ahead or static."""
    takes_network: ClassVar[bool] = False
    """Whether it forecasts all series of a network at once."""

    levels: Tensor

    def __init__(self, spec: ForecastSpec, options: Options) -> None:
        super().__init__()
        _check_spec(type(self), spec)
        self.spec = spec
        self.options = options
        self.register_buffer("levels", torch.tensor(spec.quantiles, dtype=torch.float32), persistent=False)

    @property
    def signature(self) -> Signature:
        """Inputs and output, as the exported graph has them."""
        return forecast_signature(self.spec)

    def forward(
        self,
        context: Tensor,
        calendar: Tensor | None = None,
        *,
        known: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """Forecast the coming steps.

        Args:
            context: shape ``(batch, time)``, raw units, NaN where missing.
            calendar: shape ``(batch, context + horizon, feature)`` where the spec has a calendar.
            known: shape ``(batch, context + horizon, feature)`` where the spec names covariates known ahead.
            static: shape ``(batch, feature)`` where the spec names static covariates.

        Returns:
            Quantiles, shape ``(batch, horizon, quantile)``, raw units, non-decreasing along quantile; NaN where the
            context holds no finite reading at all.
        """
        raise NotImplementedError

    def outputs(self, context: Tensor, quantiles: Tensor) -> tuple[Tensor, ...]:
        """Return what the graph gives, in the order of the signature, from the context and what ``forward`` gave."""
        del context
        return (quantiles,)

    def notes(self) -> dict[str, object]:
        """Return what a reader of the graph must know beyond signature and spec, as JSON in its metadata."""
        return {}

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

    def prepare(self, train: Batches) -> None:
        """Learn what must be known of the train windows before the descent; most families need nothing."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean pinball loss over finite targets, in units of each window's spread (a scalar)."""
        unit = window_scale(batch.context)
        return pinball_loss(self(**batch.inputs) / unit[:, :, None], batch.target / unit, self.levels)


def _check_spec(kind: type[Forecaster], spec: ForecastSpec) -> None:
    if (spec.known or spec.static) and not kind.takes_covariates:
        message = (
            f"The family {kind.family!r} takes no covariates, given {[*spec.known, *spec.static]}. Leave them out."
        )
        raise ModelError(message)
    if (spec.series is not None) != kind.takes_network:
        wanted = "all series of a network" if kind.takes_network else "one series"
        message = f"The family {kind.family!r} forecasts {wanted} at a time, but series is {spec.series!r}. Change it."
        raise ModelError(message)


def forecast_signature(spec: ForecastSpec) -> Signature:
    """Return the signature that every forecaster of a spec has."""
    rows: tuple[Axis, ...] = (Axis(name=AxisName.BATCH),)
    if spec.series is not None:
        rows = (*rows, Axis(name=AxisName.SERIES, size=spec.series))
    span = Axis(name=AxisName.TIME, size=spec.context + spec.horizon)
    time = Axis(name=AxisName.TIME, size=spec.context)
    inputs = [TensorSpec(name="context", axes=(*rows, time), unit=spec.unit, missing=True)]
    if spec.calendar is not None:
        feature = Axis(name=AxisName.FEATURE, size=len(spec.calendar.features))
        inputs.append(TensorSpec(name="calendar", axes=(rows[0], span, feature)))
    if spec.known:
        inputs.append(TensorSpec(name="known", axes=(*rows, span, Axis(name=AxisName.FEATURE, size=len(spec.known)))))
    if spec.static:
        inputs.append(TensorSpec(name="static", axes=(*rows, Axis(name=AxisName.FEATURE, size=len(spec.static)))))
    horizon = Axis(name=AxisName.HORIZON, size=spec.horizon)
    quantile = Axis(name=AxisName.QUANTILE, size=len(spec.quantiles))
    output = TensorSpec(name="quantiles", axes=(*rows, horizon, quantile), unit=spec.unit)
    return Signature(inputs=tuple(inputs), outputs=(output,))
