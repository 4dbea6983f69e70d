"""Ensembles: the mean of the members' quantiles (Vincent averaging), in one graph."""

from __future__ import annotations

import torch
from torch import Tensor

from .composite import CompositeForecaster


class Ensemble(CompositeForecaster):
    """The mean of its members, level by level; a mean of ordered quantiles is ordered."""

    family = "ensemble"

    def forward(
        self,
        context: Tensor,
        calendar: Tensor | None = None,
        *,
        known: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`Forecaster.forward`."""
        quantiles = [member(context, calendar, known=known, static=static) for member in self.members]
        return torch.stack(quantiles).mean(0)
