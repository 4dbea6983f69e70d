"""``cityforge signs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from contracts import ConfigurationError, Place, Problem, Sign, read_places, read_signs


def load(
    invocation: Invocation,
    file: Annotated[Path, typer.Argument(help="CSV of signs.", show_default=False)],
    *,
    places: Annotated[Path | None, typer.Option(help="CSV of places that these signs stand at.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check; write nothing.")] = False,
) -> None:
    """Import a catalogue of signs (城运体征) from one CSV, whole or not at all.

    Every row that is wrong is reported with its line. Importing again updates what changed. Columns: id, title_zh,
    title_en, place, unit, interval_s, source, domain, and where known dimension, device, harmful, minimum, maximum,
    lateness_s, stale_after_s.

    [bold]Examples[/bold]

        cityforge signs import signs.csv --places places.csv
        cityforge signs import signs.csv --check
    """
    with invocation.workspace() as workspace:
        tree = [] if places is None else read_places(places)
        signs = read_signs(file)
        known = {place.id for place in [*workspace.store.places.all(), *tree]}
        refuse_unknown_places(file, signs, known)
        if not check:
            workspace.import_catalogue(tree, signs)
    done = "are right" if check else "imported"
    invocation.show(f"[green]{len(signs)} signs at {len({sign.place for sign in signs})} places {done}.[/green]")
    invocation.result({"signs": len(signs), "places": len(tree), "written": not check})


def refuse_unknown_places(file: Path, signs: list[Sign], known: set[str]) -> None:
    """Check that every sign stands at a known place.

    Raises:
        ConfigurationError: listing every sign that does not.
    """
    problems = [
        Problem(f"{file.name}: {sign.id}", f"its place {sign.place!r} is unknown.", "Import it with --places FILE.csv.")
        for sign in signs
        if sign.place not in known
    ]
    if problems:
        title = f"The sign file {file}"
        raise ConfigurationError(title, problems)


def show(
    invocation: Invocation,
    *,
    place: Annotated[str | None, typer.Option(help="Only signs at this place or below it.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to print; --json prints all.")] = 50,
) -> None:
    """List the signs in the store, with the model that forecasts each.

    [bold]Example[/bold]

        cityforge signs list --place demo.east
    """
    with invocation.workspace() as workspace:
        places = {one.id: one for one in workspace.store.places.all()}
        signs = [
            sign for sign in workspace.store.signs.all() if place is None or lies_within(sign.place, place, places)
        ]
        models = workspace.forecasters()
    table = Table(title=f"{len(signs)} signs")
    for heading in ("id", "title", "place", "unit", "interval", "domain", "model"):
        table.add_column(heading)
    for sign in signs[:limit]:
        row = (sign.id, str(sign.title), sign.place, sign.unit, f"{sign.interval_s} s", sign.domain.value)
        table.add_row(*row, models.get(sign.id, "-"))
    invocation.show(table)
    if len(signs) > limit:
        invocation.show(f"... and {len(signs) - limit} more (--limit).")
    invocation.result({"signs": [{**sign.model_dump(mode="json"), "model": models.get(sign.id)} for sign in signs]})


def lies_within(place_id: str, ancestor_id: str, places: dict[str, Place]) -> bool:
    """Return whether a place is the ancestor or lies below it."""
    current: str | None = place_id
    while current is not None:
        if current == ancestor_id:
            return True
        current = places[current].parent
    return False
