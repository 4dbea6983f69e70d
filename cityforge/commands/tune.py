"""``cityforge tune``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from training.vision import load_detect_recipe, tune_detector


def tune(
    invocation: Invocation,
    recipe: Annotated[Path, typer.Argument(help="A detector's recipe.")],
    *,
    budget_s: Annotated[float, typer.Option("--budget-s", min=10, help="Seconds for all trials.")] = 1800,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Trials at most.")] = 10,
) -> None:
    """Search the settings of a detector's fit within a time budget. Nothing is registered; the recipe stays as it is.

    Every trial is a run below the search's run. What is best on validation is printed as a section [fitting].

    [bold]Examples[/bold]

        cityforge tune recipes/potholes.toml --budget-s 3600 --trials 12
    """
    loaded = load_detect_recipe(recipe)
    with invocation.workspace() as workspace, invocation.progress() as progress:
        task = progress.add_task(loaded.name, total=100)

        def report(doing: str, share: float) -> None:
            progress.update(task, description=f"{loaded.name}: {doing}", completed=round(100 * share))

        folder = workspace.home / "fits" / loaded.name / "tuning"
        result = tune_detector(loaded, workspace.registry, folder, budget_s=budget_s, trials=trials, progress=report)
    table = Table("trial", "learning rate", "batch", "mosaic", "mAP50", "ended", title=f"Search for {loaded.name}")
    for number, one in enumerate(result.trials):
        settings = one.settings
        figure = "-" if one.map50 is None else f"{one.map50:.3f}"
        row = (number, f"{settings['learning_rate']:.2g}", settings["batch"], f"{settings['mosaic']:.2f}")
        table.add_row(*map(str, row), figure, one.state)
    invocation.show(table)
    fitting = result.fitting
    rate, mosaic = f"{fitting.learning_rate:.3g}", f"{fitting.mosaic:.2f}"
    invocation.show(f"\\[fitting]\nlearning_rate = {rate}\nbatch = {fitting.batch}\nmosaic = {mosaic}")
    invocation.result(
        {
            "fitting": fitting.model_dump(mode="json"),
            "map50": result.map50,
            "run": result.run_id,
            "trials": [asdict(one) for one in result.trials],
        }
    )
