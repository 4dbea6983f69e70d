"""Calendar, covariates known ahead and static covariates as a profile over the horizon."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts import ForecastSpec


class CovariateProfile(nn.Module):
    """A small network from what is known of each coming step to an offset of its quantiles; zero before fitting.

    The same network serves every step, so that a rare event needs to have been seen at any step, not at each.

    Args:
        spec: horizon, quantiles, calendar, covariates.
        width: hidden units; 0 gives a profile of zero.
    """

    def __init__(self, spec: ForecastSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        calendar = 0 if spec.calendar is None else len(spec.calendar.features)
        self.width = width if calendar + len(spec.known) + len(spec.static) else 0
        self.hidden = nn.Linear(calendar + len(spec.known) + len(spec.static), width) if self.width else nn.Identity()
        self.output = nn.Linear(width, len(spec.quantiles)) if self.width else nn.Identity()
        if isinstance(self.output, nn.Linear):
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def forward(self, calendar: Tensor | None, known: Tensor | None, static: Tensor | None) -> Tensor:
        """Return offsets ``(batch, horizon, quantile)`` in normalised units, or zeros of one element."""
        if not self.width:
            return torch.zeros(1)
        parts = [part[:, self.spec.context :] for part in (calendar, known) if part is not None]
        if static is not None:
            parts.append(static[:, None].expand(-1, self.spec.horizon, -1))  # (batch, horizon, feature)
        return self.output(torch.relu(self.hidden(torch.cat(parts, 2))))
