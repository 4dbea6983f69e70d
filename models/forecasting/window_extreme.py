"""The extreme of the whole window beside its steps: "exceeds within six hours" is a question about the maximum.

Marginal quantiles of the steps cannot answer it: how the steps hang together is not in them. This head looks at the
validation windows instead: how far the window's extreme lay from the extreme of the member's median path, in units of
the member's own interval. Within the outermost level these offsets are empirical; beyond it stands a generalised Pareto
tail, fitted by probability-weighted moments (Hosking and Wallis, 1987, "Parameter and Quantile Estimation for the
Generalized Pareto Distribution").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from contracts import Axis, AxisName, Direction, ForecastSpec, ModelError, Signature, TensorSpec

from .composite import CompositeForecaster, CompositeOptions
from .forecaster import Batches, Forecaster
from .scaling import window_scale

LEAST_EXCESSES = 8
"""Windows beyond the outermost level that a tail needs."""
_LARGEST_SHAPE = 0.5
"""Beyond it a tail has no variance, and a few hundred windows cannot tell."""
_LEAST_WIDTH = 1e-3


def _check_direction(direction: Direction) -> Direction:
    if direction is Direction.BOTH:
        message = f"a window has one extreme, 'high' or 'low', given {direction.value!r}"
        raise ValueError(message)
    return direction


class WindowExtremeOptions(CompositeOptions):
    """Settings of the extreme of the window.

    Attributes:
        direction: ``high`` forecasts the maximum of the horizon, ``low`` the minimum.
        tail: probabilities of passing the outermost lines, each smaller than what the spec's quantiles leave.
    """

    direction: Annotated[Direction, AfterValidator(_check_direction)] = Direction.HIGH
    tail: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.01, 0.001, 0.0001)


class WindowExtreme(CompositeForecaster):
    """One member's forecast of the steps, and the quantiles of the extreme of all of them."""

    family = "window_extreme"
    Settings = WindowExtremeOptions

    offsets: Tensor
    tail: Tensor

    def __init__(self, spec: ForecastSpec, options: WindowExtremeOptions, members: Sequence[Forecaster]) -> None:
        super().__init__(spec, options, members)
        self.sign = 1.0 if options.direction is Direction.HIGH else -1.0
        self.inner = spec.quantiles if self.sign > 0 else tuple(1 - level for level in reversed(spec.quantiles))
        self.passing = tuple(sorted(options.tail, reverse=True))
        _check(len(members), self.inner, self.passing)
        self.register_buffer("offsets", torch.zeros(len(self.inner) + len(self.passing)))
        self.register_buffer("tail", torch.zeros(2))  # scale and shape, in widths

    @property
    def extreme_levels(self) -> tuple[float, ...]:
        """Probabilities of the quantile axis of the output ``extreme``, increasing."""
        levels = (*self.inner, *(1 - share for share in self.passing))
        return levels if self.sign > 0 else tuple(1 - level for level in reversed(levels))

    @property
    def signature(self) -> Signature:
        """The member's inputs and output, and ``extreme`` with axes ``(batch, quantile)``."""
        axes = (Axis(name=AxisName.BATCH), Axis(name=AxisName.QUANTILE, size=len(self.offsets)))
        plain = super().signature
        return Signature(
            inputs=plain.inputs, outputs=(*plain.outputs, TensorSpec(name="extreme", axes=axes, unit=self.spec.unit))
        )

    def forward(
        self,
        context: Tensor,
        calendar: Tensor | None = None,
        *,
        known: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        forecast: Tensor = self.members[0](context, calendar, known=known, static=static)
        return forecast

    def outputs(self, context: Tensor, quantiles: Tensor) -> tuple[Tensor, ...]:
        """Return the quantiles and the extreme's, the latter of shape ``(batch, quantile)``, non-decreasing."""
        centre, width = self._place(context, quantiles)
        extreme = centre + width * self.offsets
        return quantiles, extreme if self.sign > 0 else -extreme.flip(1)

    def settle(self, validation: Batches) -> None:
        """Take offsets and tail from the validation windows whose every target is known.

        Raises:
            ModelError: if too few of them lie beyond the outermost level to fit a tail.
        """
        offsets = torch.cat([self._offsets(batch.context, self(**batch.inputs), batch.target) for batch in validation])
        offsets = offsets[torch.isfinite(offsets)].double()
        wanted = math.ceil(LEAST_EXCESSES / (1 - self.inner[-1]) - 1e-6)
        if len(offsets) < wanted:
            message = (
                f"A tail beyond the level {self.inner[-1]} needs {wanted} whole validation windows, given "
                f"{len(offsets)}. Widen the validation window, or forecast a lower outermost quantile."
            )
            raise ModelError(message)
        inner = offsets.quantile(torch.tensor(self.inner, dtype=torch.float64))
        scale, shape = fit_tail(offsets[offsets > inner[-1]] - inner[-1])
        shares = torch.tensor(self.passing, dtype=torch.float64) / (1 - self.inner[-1])
        self.offsets.copy_(torch.cat([inner, inner[-1] + tail_quantiles(scale, shape, shares)]))
        self.tail.copy_(torch.tensor([scale, shape]))

    def notes(self) -> dict[str, object]:
        """Return what the extreme's axis means, for the graph's metadata."""
        return {"extreme": {"levels": self.extreme_levels, "direction": "high" if self.sign > 0 else "low"}}

    def describe(self) -> dict[str, float | int | str]:
        """Return what the member chose, and the tail."""
        scale, shape = self.tail.tolist()
        return {**super().describe(), "tail_scale": scale, "tail_shape": shape}

    def _place(self, context: Tensor, quantiles: Tensor) -> tuple[Tensor, Tensor]:
        """Return the median path's extreme and the unit of offsets, both ``(batch, 1)``; a low one is mirrored."""
        middle = self.sign * quantiles[:, :, self.spec.quantiles.index(0.5)]
        width = (quantiles[:, :, -1] - quantiles[:, :, 0]).mean(1, keepdim=True)
        return middle.amax(1, keepdim=True), width + _LEAST_WIDTH * window_scale(context)

    def _offsets(self, context: Tensor, quantiles: Tensor, target: Tensor) -> Tensor:
        """Return how far each window's extreme lay from its place, shape ``(batch,)``; NaN where a target is."""
        centre, width = self._place(context, quantiles)
        return (((self.sign * target).amax(1, keepdim=True) - centre) / width)[:, 0]


def fit_tail(excesses: Tensor) -> tuple[float, float]:
    """Return scale and shape of a generalised Pareto distribution by probability-weighted moments.

    Args:
        excesses: over the threshold, shape ``(excess,)``, positive.
    """
    ordered = excesses.sort().values
    count = len(ordered)
    above = torch.arange(count - 1, -1, -1, dtype=ordered.dtype) / max(count - 1, 1)
    first, second = float(ordered.mean()), float((ordered * above).mean())
    shape = 2 - first / max(first - 2 * second, torch.finfo(ordered.dtype).tiny)
    if abs(shape) <= _LARGEST_SHAPE:
        return 2 * first * second / (first - 2 * second), shape
    # The bound stands, and the scale keeps the mean excess.
    shape = max(min(shape, _LARGEST_SHAPE), -_LARGEST_SHAPE)
    return first * (1 - shape), shape


def tail_quantiles(scale: float, shape: float, shares: Tensor) -> Tensor:
    """Return what is passed with given probabilities, once the threshold is.

    Args:
        scale: of the distribution, above 0.
        shape: of the distribution; 0 is exponential.
        shares: probabilities in (0, 1).
    """
    logarithm = -shares.log()
    return scale * (torch.expm1(shape * logarithm) / shape if shape else logarithm)


def _check(members: int, inner: tuple[float, ...], passing: tuple[float, ...]) -> None:
    if members != 1:
        message = f"The extreme of a window takes one member, given {members}. Put them into an ensemble."
        raise ModelError(message)
    if passing and passing[0] >= 1 - inner[-1]:
        message = f"tail {passing} must lie beyond the outermost quantile, which {1 - inner[-1]:.3g} pass. Lower it."
        raise ModelError(message)
