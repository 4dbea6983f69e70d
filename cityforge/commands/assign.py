"""``cityforge assign``."""

from __future__ import annotations

from typing import Annotated

import typer

from cityforge.commands.signs import lies_within
from cityforge.invocation import Invocation
from cityforge.workspace import Workspace
from contracts import ConfigurationError, ForecastSpec, Problem, PromotionError, Sign

SHOWN = 10


def assign(
    invocation: Invocation,
    model: Annotated[str, typer.Argument(help="Registered name of a champion that forecasts.")],
    signs: Annotated[list[str] | None, typer.Argument(help="Ids of signs.", show_default=False)] = None,
    *,
    place: Annotated[str | None, typer.Option(help="All signs at this place or below it.")] = None,
    dimension: Annotated[str | None, typer.Option(help="Only signs of this dimension.")] = None,
    uncovered: Annotated[bool, typer.Option("--uncovered", help="Only signs that nobody forecasts.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the assignments back instead.")] = False,
) -> None:
    """Say which champion forecasts which signs; also signs that its training never saw (cold start).

    Of the signs that --place, --dimension and --uncovered choose, those whose interval or unit the model does not have
    are passed over and counted; a sign that is named must fit.

    [bold]Examples[/bold]

        cityforge assign district.global --uncovered
        cityforge assign flow.ridge water_main.flow
        cityforge assign flow.ridge water_main.flow --remove
    """
    if not signs and place is None and dimension is None and not uncovered:
        title = "The command"
        problem = Problem(
            "signs", "none are named or chosen.", "Name signs, or give --place, --dimension or --uncovered."
        )
        raise ConfigurationError(title, [problem])
    with invocation.workspace() as workspace:
        spec = find_spec(workspace, model)
        chosen = choose_signs(workspace, signs or [], place=place, dimension=dimension, uncovered=uncovered)
        unfit = {sign.id: reason for sign in chosen if (reason := explain_misfit(sign, spec))}
        refuse_misfits({sign: unfit[sign] for sign in signs or [] if sign in unfit}, model)
        names = [sign.id for sign in chosen if sign.id not in unfit]
        if remove:
            mine = {sign for sign, name in workspace.store.assignments.all().items() if name == model}
            names = [name for name in names if name in mine]
            workspace.store.assignments.remove(names)
        else:
            workspace.store.assignments.put_all(dict.fromkeys(names, model))
        action = "model.unassigned" if remove else "model.assigned"
        workspace.store.audit.append(
            workspace.settings.actor, action, model, {"signs": len(names), "first": names[:SHOWN]}
        )
    done = "no longer assigned to" if remove else "assigned to"
    invocation.show(f"[green]{len(names)} signs {done} {model}.[/green]")
    for sign, reason in list(unfit.items())[:SHOWN]:
        invocation.show(f"passed over: {sign}: {reason}")
    invocation.result({"model": model, "signs": names, "removed": remove, "passed_over": unfit})


def find_spec(workspace: Workspace, model: str) -> ForecastSpec:
    """Return what a champion needs to be asked.

    Raises:
        PromotionError: if there is no such champion, or it makes no forecasts.
    """
    champions = workspace.store.ledger.champions()
    entry = champions.get(model)
    if entry is None or entry.manifest.forecast is None:
        known = ", ".join(name for name, one in champions.items() if one.manifest.forecast is not None) or "none"
        message = f"{model!r} has no champion that forecasts. Champions that do: {known}. Promote one first."
        raise PromotionError(message)
    return entry.manifest.forecast


def choose_signs(
    workspace: Workspace, named: list[str], *, place: str | None, dimension: str | None, uncovered: bool
) -> list[Sign]:
    """Return the signs named, or else those of the catalogue that fit every choice given.

    Raises:
        ConfigurationError: listing every name that the catalogue does not hold.
    """
    catalogue = {sign.id: sign for sign in workspace.store.signs.all()}
    unknown = [
        Problem(name, "is no sign of the catalogue.", "See `cityforge signs list`.")
        for name in named
        if name not in catalogue
    ]
    if unknown:
        title = "The command"
        raise ConfigurationError(title, unknown)
    places = {one.id: one for one in workspace.store.places.all()}
    covered = workspace.forecasters() if uncovered else {}
    return [
        sign
        for sign in ([catalogue[name] for name in named] or catalogue.values())
        if (place is None or lies_within(sign.place, place, places))
        and (dimension is None or sign.dimension == dimension)
        and sign.id not in covered
    ]


def explain_misfit(sign: Sign, spec: ForecastSpec) -> str:
    """Return why a model cannot forecast a sign; empty where it can."""
    if sign.interval_s != spec.interval_s:
        return f"it is read every {sign.interval_s} s, the model steps {spec.interval_s} s"
    if spec.unit and sign.unit != spec.unit:
        return f"its unit is {sign.unit!r}, the model's {spec.unit!r}"
    return ""


def refuse_misfits(misfits: dict[str, str], model: str) -> None:
    """Check that every named sign fits.

    Raises:
        ConfigurationError: listing those that do not.
    """
    if misfits:
        title = f"The assignment to {model}"
        raise ConfigurationError(
            title, [Problem(sign, f"{reason}.", "Choose another model.") for sign, reason in misfits.items()]
        )
