"""``cityforge ratios``."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text as Line

from cityforge.invocation import Invocation
from contracts import DataError, Task

if TYPE_CHECKING:
    from early_warning import ScoreRatios


def ratios(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(help="Name of the detector.", show_default=False)],
    *,
    data: Annotated[Path, typer.Option(help="Labelled pictures that it was not fitted on.", show_default=False)],
    label: Annotated[str, typer.Option(help="What is looked for.", show_default=False)],
    to: Annotated[Path, typer.Option(help="File to write, such as ratios/standing_water.json.", show_default=False)],
    cap: Annotated[float, typer.Option(min=1.0, help="Largest ratio that is ever told.")] = 1000.0,
) -> None:
    """Learn what a champion detector's scores are worth as evidence: likelihood ratios by slice, for a cameras.toml.

    The validation pictures are used; there must be some with the label and some without it in every slice.

    [bold]Examples[/bold]

        cityforge ratios street.watch --data judges --label standing_water --to my-street/ratios/standing_water.json
    """
    with invocation.workspace() as workspace:
        entry = workspace.store.ledger.champion(name)
        if entry is None or entry.manifest.task is not Task.DETECT:
            message = f"{name!r} is no champion detector. See `cityforge models`."
            raise DataError(message)
        path = workspace.releases.path(entry.manifest.sha256)
        with invocation.progress() as progress:
            task = progress.add_task(label)
            fitted: ScoreRatios = importlib.import_module("training.vision.ratios").fit_ratios(
                importlib.import_module("gpu").open_session(path),
                data,
                label,
                model=f"{name}:{entry.manifest.version}",
                cap=cap,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(fitted.model_dump_json(indent=1), encoding="utf-8")
    invocation.show(_table(fitted))
    invocation.result({"file": to, "ratios": fitted.model_dump(mode="json")})


def _table(fitted: ScoreRatios) -> Table:
    table = Table(title=f"{fitted.label} by {fitted.model}", title_justify="left")
    for heading in ("slice", "with", "without", "nothing found", "a sure box"):
        table.add_column(heading, justify="left" if heading == "slice" else "right")
    for slice_name, curve in fitted.curves.items():
        low, high = (f"×{math.exp(value):.3g}" for value in (curve.log_ratios[0], curve.log_ratios[-1]))
        table.add_row(slice_name or "plain", str(curve.positives), str(curve.negatives), Line(low), Line(high))
    return table
