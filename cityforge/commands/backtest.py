"""``cityforge backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.tables import figure
from cityforge.workspace import Workspace
from contracts import HIERARCHY, ConfigurationError, Hierarchy, PlaceTree, Problem, format_utc
from gpu import open_session
from store import Store
from training import Dataset, Predict, Recipe, load_recipe, parse_recipe, predict_with
from training.backtest import FIGURES, WINDOWS, Backtest, fit_recipe, run_backtest, write_report
from training.coherence import choose_coherence, forecast_together, measure_levels

OPENED = "open_report_window"


def backtest(
    invocation: Invocation,
    target: Annotated[str, typer.Argument(help="A recipe file, or the name of a registered model.")],
    *,
    window: Annotated[str, typer.Option(help="train, validation, gate or report.")] = "gate",
    version: Annotated[int | None, typer.Option(help="Version of the model; default its champion.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe that says on what data a model is judged; default its own.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder of the report; default backtests/NAME-WINDOW.")
    ] = None,
) -> None:
    """Forecast from every origin of a window and measure it, by sign, step and place.

    A recipe is fitted for the purpose and not registered; a registered model answers with its released graph. Opening
    the report window is written to the audit, and every opening is shown.

    [bold]Examples[/bold]

        cityforge backtest recipes/ridge.toml
        cityforge backtest water_main.flow --window report
    """
    check_window(window)
    with invocation.workspace() as workspace, invocation.progress() as progress:
        task = progress.add_task("reading", total=100)

        def report(doing: str, share: float) -> None:
            progress.update(task, description=doing, completed=round(100 * share))

        if target.endswith(".toml"):
            dataset = Dataset.read(load_recipe(Path(target)))
            predict, _ = fit_recipe(dataset, report)
            judged, released = "fitted from the recipe", None
        else:
            card = workspace.registry.show(target, version)
            dataset = Dataset.read(recipe_of(card.manifest.metadata, recipe, target))
            predict = predict_with(open_session(workspace.releases.path(card.manifest.sha256)))
            judged, released = f"version {card.manifest.version}", card.manifest.metadata.get(HIERARCHY)
        name = dataset.recipe.name
        if window == "report":
            log_opening(workspace.store, dataset.recipe, workspace.settings.actor, judged)
        openings = past_openings(workspace.store, name) if window == "report" else []
        result = run_backtest(dataset, predict, window, places=ancestors(workspace), progress=report)
        levels = judge_levels(dataset, predict, window, released)
        folder = to or workspace.home / "backtests" / f"{name}-{window}"
        page = write_report(folder, dataset, result, window, openings=openings)
    invocation.show(figures_table(f"{name}, {judged}: {window} window", result))
    if levels:
        invocation.show(levels_table(levels))
    if openings:
        invocation.show(f"The report window was opened {len(openings)} times; this one is written to the audit.")
    invocation.show(f"Report: {page}")
    invocation.result(as_document(name, judged, window, result, page) | {"openings": openings, "hierarchy": levels})


def check_window(window: str) -> None:
    """Check the name of a window.

    Raises:
        ConfigurationError: if it is none of the four.
    """
    if window not in WINDOWS:
        title = "The command"
        raise ConfigurationError(
            title, [Problem("--window", f"{window!r} is unknown.", f"Choose {', '.join(WINDOWS)}.")]
        )


def recipe_of(metadata: dict[str, Any], recipe: Path | None, name: str) -> Recipe:
    """Return the recipe that a model is judged by: the one given, or its own from its manifest.

    Raises:
        ConfigurationError: if there is none, or it is wrong.
    """
    if recipe is not None:
        return load_recipe(recipe)
    table = metadata.get("recipe")
    if not isinstance(table, dict):
        title = f"The model {name!r}"
        raise ConfigurationError(title, [Problem("recipe", "its release carries none.", "Give one with --recipe.")])
    return parse_recipe(table, f"The recipe of {name!r}", Path.cwd())


def ancestors(workspace: Workspace) -> dict[str, list[str]]:
    """Return sign → its place and every place above it, of the signs in the store."""
    tree = PlaceTree(workspace.store.places.all())
    return {sign.id: [place.id for place in tree.path(sign.place)] for sign in workspace.store.signs.all()}


def judge_levels(
    dataset: Dataset, predict: Predict, window: str, released: dict[str, Any] | None
) -> dict[str, dict[str, float]]:
    """Return the error of each level of places before and after reconciling; empty where signs do not add up.

    A release is judged with its own weights, where they are of the same signs; others are chosen on validation.
    """
    if dataset.hierarchy is None:
        return {}
    hierarchy = None if released is None else Hierarchy.from_json(released)
    if hierarchy is None or hierarchy.nodes != dataset.hierarchy.nodes:
        hierarchy = choose_coherence(dataset, predict).hierarchy
    joint = forecast_together(dataset, predict, getattr(dataset.recipe.windows, window))
    return measure_levels(hierarchy, joint)


def levels_table(levels: dict[str, dict[str, float]]) -> Table:
    """Return the error of each level."""
    table = Table("level", "mae as forecast", "mae reconciled", "ratio", title="Sums over places", title_justify="left")
    for level, figures in levels.items():
        table.add_row(level, *(figure(figures[name]) for name in ("mae_before", "mae", "ratio")))
    return table


def log_opening(store: Store, recipe: Recipe, actor: str, model: str) -> None:
    """Write to the audit that a report window is opened; before it is looked at."""
    span = recipe.windows.report
    detail = {"start": span.start.isoformat(), "end": span.end.isoformat(), "model": model}
    store.audit.append(actor, OPENED, recipe.name, detail)


def past_openings(store: Store, name: str) -> list[dict[str, str]]:
    """Return every opening of a model's report window, oldest first."""
    entries = store.audit.entries(action=OPENED, subject=name)
    return [{"time": format_utc(one.time_ms), "actor": one.actor, "model": _model(one.detail)} for one in entries]


def _model(detail: dict[str, Any]) -> str:
    version = detail.get("version")
    return str(detail.get("model", "")) + ("" if version is None else f" version {version}")


def figures_table(title: str, result: Backtest) -> Table:
    """Return the pooled figures."""
    table = Table("figure", "value", title=title, title_justify="left")
    for name in FIGURES:
        table.add_row(name, figure(result.pooled[name]))
    table.caption = f"{result.targets} readings from {result.origins} origins, {len(result.by_series)} signs"
    return table


def as_document(name: str, judged: str, window: str, result: Backtest, page: Path) -> dict[str, Any]:
    """Return the whole result as JSON."""
    return {
        "model": name,
        "judged": judged,
        "window": window,
        "level": result.level,
        "origins": result.origins,
        "targets": result.targets,
        "pooled": result.pooled,
        "by_series": result.by_series.to_dict("index"),
        "by_horizon": result.by_horizon.to_dict("index"),
        "by_place": result.by_place.to_dict("index"),
        "report": page,
    }
