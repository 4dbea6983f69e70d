"""A spiking network of leaky integrate-and-fire neurons: the platform's neuromorphic simulation.

The window is read in patches, one per tick. A neuron leaks, adds up what it receives, fires a spike when it passes its
threshold and is set back by as much. Between neurons only spikes travel, so that on neuromorphic hardware an operation
is spent for each spike alone; :meth:`Spiking.energy` counts them. Fitting replaces the spike's derivative, which is
zero nearly everywhere, by that of a fast sigmoid (Neftci et al., 2019, "Surrogate Gradient Learning in Spiking Neural
Networks"). The network is unrolled, so that it exports to a graph without a loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from contracts import ForecastSpec

from .neural import NeuralForecaster, NeuralOptions

ADD_PJ = 0.9
"""Picojoules of one 32-bit addition in 45 nm (Horowitz, 2014, "Computing's Energy Problem"): what a spike costs."""
MULTIPLY_ADD_PJ = 4.6
"""Picojoules of one 32-bit multiplication and addition there: what a dense layer's connection costs."""


class SpikingOptions(NeuralOptions):
    """Settings of the spiking network.

    Attributes:
        patch: steps of the window that are read in one tick.
        width: neurons of each of the two layers.
        leak: share of the membrane's potential that is left after a tick, before fitting.
        slope: steepness of the surrogate derivative.
    """

    patch: int = Field(default=4, ge=1)
    width: int = Field(default=64, ge=1)
    leak: float = Field(default=0.9, gt=0, lt=1)
    slope: float = Field(default=5.0, gt=0)


@dataclass(frozen=True, slots=True)
class SpikeCount:
    """What one forecast costs, on average over windows.

    Attributes:
        spikes: that were fired.
        spikes_per_neuron_and_tick: between 0 and 1.
        synaptic_operations: additions that spikes caused.
        dense_operations: multiplications and additions of the layers that no spike drives (the encoder).
        energy_nj: nanojoules in 45 nm, from both; an estimate, no measurement.
        dense_energy_nj: nanojoules if every connection were used at every tick, for comparison.
    """

    spikes: float
    spikes_per_neuron_and_tick: float
    synaptic_operations: float
    dense_operations: float
    energy_nj: float
    dense_energy_nj: float


class Spiking(NeuralForecaster):
    """Two layers of leaky integrate-and-fire neurons; the readout adds up the second layer's spikes."""

    family = "spiking"
    Settings = SpikingOptions

    def __init__(self, spec: ForecastSpec, options: SpikingOptions) -> None:
        super().__init__(spec, options)
        self.choices = options
        self.padding = -spec.context % options.patch
        self.ticks = (spec.context + self.padding) // options.patch
        outputs = spec.horizon * len(spec.quantiles)
        self.encode = nn.Linear(options.patch, options.width)
        self.recur = nn.Linear(options.width, options.width, bias=False)
        self.forth = nn.Linear(options.width, options.width)
        self.read = nn.Linear(options.width, outputs)
        logit = torch.logit(torch.tensor(options.leak))
        self.leaks = nn.Parameter(logit.expand(2, options.width).clone())
        self.memory = nn.Parameter(torch.logit(torch.tensor(0.9)).expand(outputs).clone())
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def body(self, readings: Tensor) -> Tensor:
        """See :meth:`NeuralForecaster.body`."""
        return self._run(readings)[0] + readings[:, -1:]

    @torch.no_grad()
    def energy(self, context: Tensor) -> SpikeCount:
        """Count the spikes of forecasts.

        Args:
            context: shape ``(batch, time)``, raw units.
        """
        _, spikes = self._run(self.normalise(context)[0])
        first, second = (float(layer.sum()) / len(context) for layer in spikes)
        width, outputs = self.choices.width, self.read.out_features
        # A spike of the first layer reaches its own layer and the second; one of the second reaches the readout.
        synaptic = first * 2 * width + second * outputs
        encoder = self.ticks * self.choices.patch * width
        dense = self.ticks * (2 * width * width + width * outputs) + encoder
        return SpikeCount(
            spikes=first + second,
            spikes_per_neuron_and_tick=(first + second) / (2 * width * self.ticks),
            synaptic_operations=synaptic,
            dense_operations=float(encoder),
            energy_nj=(synaptic * ADD_PJ + encoder * MULTIPLY_ADD_PJ) / 1e3,
            dense_energy_nj=dense * MULTIPLY_ADD_PJ / 1e3,
        )

    def _run(self, readings: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the readout ``(batch, horizon * quantile)`` and both layers' spikes ``(batch, tick, neuron)``."""
        padded = functional.pad(readings[:, None], (self.padding, 0), mode="replicate")[:, 0]
        # (batch, tick, neuron): the currents of all ticks at once.
        currents = self.encode(padded.reshape(-1, self.ticks, self.choices.patch))
        leaks, memory = torch.sigmoid(self.leaks), torch.sigmoid(self.memory)
        potential = [torch.zeros_like(currents[:, 0]) for _ in range(2)]
        spikes = [torch.zeros_like(currents[:, 0]) for _ in range(2)]
        fired: list[list[Tensor]] = [[], []]
        readout = self.read.bias.expand(readings.shape[0], -1)
        for tick in range(self.ticks):
            inputs = currents[:, tick] + self.recur(spikes[0])
            for layer in range(2):
                potential[layer] = leaks[layer] * potential[layer] + inputs - spikes[layer]
                spikes[layer] = self._fire(potential[layer])
                fired[layer].append(spikes[layer])
                inputs = self.forth(spikes[layer])
            readout = memory * readout + functional.linear(spikes[1], self.read.weight)
        return readout, [torch.stack(layer, 1) for layer in fired]

    def _fire(self, potential: Tensor) -> Tensor:
        """Return 1 where the potential has passed 1, with the derivative of a fast sigmoid while fitting."""
        over = potential - 1
        spike = (over > 0).to(over.dtype)
        if not self.training:
            return spike
        soft = over / (1 + self.choices.slope * over.abs())  # its derivative is the surrogate
        return spike + soft - soft.detach()
