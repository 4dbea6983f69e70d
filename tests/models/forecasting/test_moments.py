from __future__ import annotations

import pytest
import torch

from models.forecasting.moments import COVARIATE_PENALTY, Moments


def solve_directly(
    readings: torch.Tensor, targets: torch.Tensor, look_back: int, prior: torch.Tensor, penalty: float
) -> torch.Tensor:
    """Ridge on the last readings less their mean, one step at a time, as a textbook has it."""
    context = readings.shape[1] - 2
    used, extra = readings[:, context - look_back : context], readings[:, context:]
    level = used.mean(1, keepdim=True)
    columns = []
    for step in range(targets.shape[1]):
        known = torch.isfinite(targets[:, step])
        centred = torch.cat([used - level, extra], 1)[known]
        start = torch.cat([prior[:, step], torch.zeros(2, dtype=torch.float64)])
        rest = (targets[:, step : step + 1] - level)[known, 0] - centred @ start
        gram = centred.T @ centred
        ridge = torch.full((look_back + 2,), penalty * float(gram.diagonal()[:look_back].mean()), dtype=torch.float64)
        ridge[look_back:] = COVARIATE_PENALTY * gram.diagonal()[look_back:]
        columns.append(torch.linalg.solve(gram + torch.diag(ridge), centred.T @ rest) + start)
    return torch.stack(columns, 1)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("look_back", [3, 8])
def test_moments_give_what_a_direct_solution_gives(missing: float, look_back: int) -> None:
    generator = torch.Generator().manual_seed(1)
    readings = torch.randn(200, 10, generator=generator, dtype=torch.float64) + 5
    targets = torch.randn(200, 4, generator=generator, dtype=torch.float64) + 5
    targets[torch.rand(targets.shape, generator=generator) < missing] = torch.nan
    prior = torch.rand(look_back, 4, generator=generator, dtype=torch.float64)
    prior /= prior.sum(0)
    moments, second = Moments(8, 4, covariates=2), Moments(8, 4, covariates=2)
    moments.add(readings[:70], targets[:70])
    second.add(readings[70:], targets[70:])
    moments.merge(second)
    weight = moments.solve(prior, 0.1)
    direct = solve_directly(readings, targets, look_back, prior, 0.1)
    used, extra = readings[:, 8 - look_back : 8], readings[:, 8:]
    level = used.mean(1, keepdim=True)
    expected = torch.cat([used - level, extra], 1) @ direct + level
    torch.testing.assert_close(readings @ weight, expected)


def test_windows_without_readings_or_targets_count_for_nothing() -> None:
    moments = Moments(3, 2)
    moments.add(torch.full((2, 3), torch.nan), torch.ones(2, 2))
    moments.add(torch.ones(2, 3), torch.full((2, 2), torch.nan))
    assert not moments.sufficient
