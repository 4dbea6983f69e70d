"""``cityforge models``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.tables import figure
from cityforge.workspace import Workspace
from registry import Model, Version

SHOWN_FIGURES = ("mae", "mae_ratio", "coverage_90", "latency_p95_ms", "map_50")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which signs of the catalogue a champion forecasts."""

    covered: dict[str, str]
    uncovered: tuple[str, ...]


def models(
    invocation: Invocation,
    *,
    uncovered: Annotated[bool, typer.Option("--uncovered", help="Also list the signs without a model.")] = False,
) -> None:
    """List the models: champion, versions, figures, and how many signs they cover.

    [bold]Examples[/bold]

        cityforge models
        cityforge models --json
    """
    with invocation.workspace() as workspace:
        registry = workspace.registry
        rows = [(model, registry.versions(model.name)) for model in registry.models()]
        coverage = cover_signs(workspace)
    table = Table("model", "champion", "since", "versions", "figures", "signs", title="Models")
    for model, versions in rows:
        table.add_row(*describe_model(model, versions, coverage))
    invocation.show(table)
    total = len(coverage.covered) + len(coverage.uncovered)
    invocation.show(f"{len(coverage.covered)} of {total} signs are forecast; {len(coverage.uncovered)} are not.")
    if uncovered:
        invocation.show("\n".join(coverage.uncovered))
    data = [{**asdict(model), "versions": [asdict(version) for version in versions]} for model, versions in rows]
    invocation.result({"models": data, "covered": coverage.covered, "uncovered": coverage.uncovered})


def cover_signs(workspace: Workspace) -> Coverage:
    """Return which champion forecasts which sign of the catalogue, and which signs nobody forecasts."""
    known = [sign.id for sign in workspace.store.signs.all()]
    forecasters = workspace.forecasters()
    covered = {sign: forecasters[sign] for sign in known if sign in forecasters}
    return Coverage(covered, tuple(sign for sign in known if sign not in covered))


def describe_model(model: Model, versions: list[Version], coverage: Coverage) -> tuple[str, ...]:
    """Return one row: the figures are the champion's, or the newest version's before the first promotion."""
    chosen = next((one for one in versions if one.version == model.champion), versions[0])
    figures = ", ".join(f"{name} {figure(chosen.metrics[name])}" for name in SHOWN_FIGURES if name in chosen.metrics)
    since = "-" if model.champion_since is None else f"{model.champion_since:%Y-%m-%d %H:%M}Z"
    champion = "-" if model.champion is None else str(model.champion)
    signs = sum(name == model.name for name in coverage.covered.values())
    return model.name, champion, since, str(len(versions)), figures, str(signs)
