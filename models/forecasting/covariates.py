"""Calendar, covariates known ahead and static covariates as a profile over the horizon."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts import ForecastSpec

from .forecaster import Batches


class CovariateProfile(nn.Module):
    """A small network from what is known of each coming step to an offset of its quantiles; zero before fitting.

    Covariates come in units of their own; their means and spreads over the train windows are part of the graph. The
    same network serves every step, so that a rare event needs to have been seen at any step, not at each.

    Args:
        spec: horizon, quantiles, calendar, covariates.
        width: hidden units; 0 gives a profile of zero.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, spec: ForecastSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        calendar = 0 if spec.calendar is None else len(spec.calendar.features)
        self.width = width if calendar + len(spec.known) + len(spec.static) else 0
        self.register_buffer("centre", torch.zeros(len(spec.known) + len(spec.static)))
        self.register_buffer("spread", torch.ones(len(spec.known) + len(spec.static)))
        self.hidden = nn.Linear(calendar + len(spec.known) + len(spec.static), width) if self.width else nn.Identity()
        self.output = nn.Linear(width, len(spec.quantiles)) if self.width else nn.Identity()
        if isinstance(self.output, nn.Linear):
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def measure(self, batches: Batches) -> None:
        """Learn means and spreads of the covariates from windows."""
        rows = []
        for batch in batches:
            parts = [] if batch.known is None else [batch.known[:, self.spec.context :].flatten(0, 1)]
            if batch.static is not None:
                parts.append(batch.static.repeat_interleave(self.spec.horizon, 0))  # (batch * horizon, feature)
            rows.append(torch.cat(parts, 1))
        seen = torch.cat(rows)
        self.centre.copy_(seen.mean(0))
        spread = seen.std(0, correction=0)
        self.spread.copy_(torch.where(spread > 0, spread, 1.0))

    def forward(self, calendar: Tensor | None, known: Tensor | None, static: Tensor | None) -> Tensor:
        """Return offsets ``(batch, horizon, quantile)`` in normalised units, or zeros of one element."""
        if not self.width:
            return torch.zeros(1)
        split = len(self.spec.known)
        parts = [] if calendar is None else [calendar[:, self.spec.context :]]
        if known is not None:
            parts.append((known[:, self.spec.context :] - self.centre[:split]) / self.spread[:split])
        if static is not None:
            scaled = (static - self.centre[split:]) / self.spread[split:]
            parts.append(scaled[:, None].expand(-1, self.spec.horizon, -1))  # (batch, horizon, feature)
        return self.output(torch.relu(self.hidden(torch.cat(parts, 2))))
