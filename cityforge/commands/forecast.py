"""``cityforge forecast``: batch scoring."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.workspace import Workspace
from contracts import ConfigurationError, Problem, PromotionError, ReleaseManifest, Task, parse_utc, to_ms
from gpu import open_session
from operations.scoring import PanelContexts, Scorer, Scoring, StoreContexts, aggregate_of, hierarchy_of, score_signs
from store.panels import KnownCovariates, Panel, PanelColumns

SHOWN_SKIPS = 5


def forecast(
    invocation: Invocation,
    *,
    to: Annotated[Path, typer.Option("--to", help="File to write: Parquet, or CSV where it ends in .csv.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Panel of readings, Parquet or CSV; default the store's readings.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Let this champion forecast every sign; default each sign's own.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Event time to forecast from; default each sign's newest reading.")
    ] = None,
    known: Annotated[
        Path | None, typer.Option("--known", help="Covariates known ahead, for models that take some: Parquet or CSV.")
    ] = None,
    columns: Annotated[str, typer.Option(help="Columns of the panel: sign, time and value.")] = "sign,time,value",
) -> None:
    """Forecast every sign of the district, or of a file of any size, in one call.

    The champions' raw quantiles are written, one row for each sign and step; where a model's signs add up over places,
    their totals as well, and the medians sum. Signs that nobody forecasts, or that have
    too few readings, are counted and named.

    [bold]Examples[/bold]

        cityforge forecast --to tomorrow.parquet
        cityforge forecast --data readings.parquet --model district.global --to tomorrow.parquet
    """
    started = time.perf_counter()
    with invocation.workspace() as workspace, invocation.progress() as progress:
        task = progress.add_task("forecast", total=100)

        def report(doing: str, share: float) -> None:
            progress.update(task, description=doing, completed=round(100 * share))

        at_ms = None if at is None else to_ms(parse_utc(at))
        if data is None:
            signs = [sign.id for sign in workspace.store.signs.all()]
            contexts: PanelContexts | StoreContexts = StoreContexts(workspace.store, signs)
        else:
            panel = Panel(data, read_columns(columns))
            contexts = PanelContexts(panel)
            signs = list(panel.spans()) if model is not None else []
        scorers = find_scorers(workspace, model, signs, known)
        result = score_signs(contexts, scorers, to, at_ms=at_ms, progress=report)
    show_scoring(invocation, result, to)
    seconds = time.perf_counter() - started
    invocation.result({"file": to, "seconds": seconds, **asdict(result)})


def read_columns(text: str) -> PanelColumns:
    """Return the names of a panel's columns.

    Raises:
        ConfigurationError: if there are not three.
    """
    names = [name.strip() for name in text.split(",")]
    if len(names) != len(PanelColumns().names()) or not all(names):
        title = "The command"
        problem = Problem("--columns", f"needs three names, given {text!r}.", "Give sign,time,value.")
        raise ConfigurationError(title, [problem])
    return PanelColumns(*names)


def find_scorers(
    workspace: Workspace, model: str | None, signs: list[str], known: Path | None = None
) -> dict[str, Scorer]:
    """Return the forecaster of each sign: one for all, or each sign's own champion.

    Raises:
        PromotionError: if the named model has no champion that forecasts.
    """
    champions = {name: entry.manifest for name, entry in workspace.store.ledger.champions().items()}
    if model is not None:
        manifest = champions.get(model)
        if manifest is None or manifest.forecast is None:
            able = ", ".join(sorted(n for n, one in champions.items() if one.task is Task.FORECAST)) or "none"
            message = f"{model!r} has no champion that forecasts. Champions that do: {able}."
            raise PromotionError(message)
        return dict.fromkeys(signs, open_scorer(workspace, manifest, known))
    opened: dict[str, Scorer] = {}
    found = {}
    for sign, name in workspace.forecasters().items():
        if name not in opened:
            opened[name] = open_scorer(workspace, champions[name], known)
        found[sign] = opened[name]
    return found


def open_scorer(workspace: Workspace, manifest: ReleaseManifest, known: Path | None = None) -> Scorer:
    """Open a released forecaster."""
    assert manifest.forecast is not None  # noqa: S101 - the caller checked
    session = open_session(workspace.releases.path(manifest.sha256), threads=2)
    beside = manifest.metadata.get("covariates", {})
    spec = manifest.forecast
    return Scorer(
        manifest.name,
        manifest.version,
        spec,
        session,
        aggregate_of(manifest),
        hierarchy_of(manifest),
        known=KnownCovariates.read(known, spec.known, spec.interval_s) if known is not None and spec.known else None,
        static=beside.get("static", {}),
        usual=beside.get("usual", ()),
    )


def show_scoring(invocation: Invocation, result: Scoring, to: Path) -> None:
    """Print how many signs each model forecast, and why others were not."""
    table = Table("model", "signs", title=f"{result.rows} rows in {to}", title_justify="left")
    for name, count in sorted(result.forecast.items()):
        table.add_row(name, str(count))
    invocation.show(table)
    if result.skipped:
        invocation.show(f"{len(result.skipped)} signs were not forecast:")
        for sign, reason in list(result.skipped.items())[:SHOWN_SKIPS]:
            invocation.show(f"  {sign}: {reason}")
