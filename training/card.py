"""The model card: what a version is, what it was fitted on, how good it is and where it must not be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from contracts import GateResult

from .dataset import Dataset
from .evaluation import Scores


def write_card(
    dataset: Dataset,
    scores: Scores,
    gates: Sequence[GateResult],
    chosen: Mapping[str, float | int | str],
) -> str:
    """Return a model card in Markdown.

    Args:
        dataset: data and recipe.
        scores: figures on the gate window.
        gates: verdict.
        chosen: what fitting chose.
    """
    recipe, spec = dataset.recipe, dataset.recipe.spec
    verdict = "passed" if all(gate.passed for gate in gates) else "rejected"
    lines = [
        f"# {recipe.name} ({recipe.model.family})",
        "",
        recipe.title,
        "",
        f"Forecasts {spec.horizon} steps of {spec.interval_s} s from the last {spec.context} readings"
        f" ({spec.unit or 'no unit'}), as quantiles {', '.join(f'{level:g}' for level in spec.quantiles)}.",
        "",
        "## Data",
        "",
        f"- source `{recipe.data.source}`, fingerprint `{dataset.fingerprint}`",
        *(_series_line(dataset, index) for index in range(min(len(dataset.series), 20))),
        *_window_lines(dataset),
        "",
        "## What fitting chose",
        "",
        *([f"- {name}: {value}" for name, value in chosen.items()] or ["- nothing beyond the recipe"]),
        "",
        f"## Gate window: {verdict}",
        "",
        "| gate | measured | limit | passed |",
        "|---|---|---|---|",
        *(f"| {gate.name} | {_figure(gate.value)} | {_figure(gate.limit)} | {_yes(gate.passed)} |" for gate in gates),
        "",
        "| step | MAE | last value | seasonal naive | RMSE | coverage 90 % |",
        "|---|---|---|---|---|---|",
        *_horizon_lines(scores),
        "",
        "## Limits",
        "",
        "- Judged on undisturbed hours; within a disturbance it says what would be normal, not what will be.",
        f"- Needs at least {spec.minimum_observed} readings in its context; without any it returns NaN.",
        "- Fitted on this place alone: another place needs a model, or at least an evaluation, of its own.",
        "",
    ]
    return "\n".join(lines)


def _series_line(dataset: Dataset, index: int) -> str:
    one = dataset.series[index]
    missing = int(np.isnan(one.values).sum())
    line = f"- `{one.sign}`: {len(one.values)} steps, {missing} missing"
    if not dataset.rules:
        return line
    rule = dataset.rules[index]
    disturbed = int(rule.disturbed(one.values).sum())
    return f"{line}, {disturbed} disturbed (further than {rule.threshold:g} × {rule.spread:.3g} from {rule.centre:.4g})"


def _window_lines(dataset: Dataset) -> list[str]:
    windows = dataset.recipe.windows
    return [
        f"- {name}: {window.start.isoformat()} to {window.end.isoformat()}"
        for name, window in (
            ("train", windows.train),
            ("validation", windows.validation),
            ("gate", windows.gate),
            ("report (not opened for this card)", windows.report),
        )
    ]


def _horizon_lines(scores: Scores) -> list[str]:
    names = ("mae", "mae_last_value", "mae_seasonal_naive", "rmse", "coverage_90")
    rows = zip(*(scores.by_horizon[name] for name in names), strict=True)
    return [f"| {step} | {' | '.join(_figure(float(value)) for value in row)} |" for step, row in enumerate(rows, 1)]


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _yes(passed: bool) -> str:
    return "yes" if passed else "**no**"
