"""``cityforge trial``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cityforge.invocation import Invocation
from registry import TrialRecord


def trial(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(help="Name of the model.", show_default=False)],
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Begin to try this version.")] = None,
    canary: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of requests that it answers; 0 lets it only look on.")
    ] = 0.0,
    stop: Annotated[str | None, typer.Option(help="End the trial, for this reason.")] = None,
) -> None:
    """Try a challenger beside the champion on the same requests, or show what was found.

    It runs only on threads that nobody waits for. Alarms are always answered by the champion. Serving ends a trial
    by itself when the challenger fails, differs or slows too much, and writes its findings into the audit.

    [bold]Examples[/bold]

        cityforge trial water-flow-ridge --version 3
        cityforge trial water-flow-ridge --version 3 --canary 0.1
        cityforge trial water-flow-ridge
        cityforge trial water-flow-ridge --stop "promoted by hand"
    """
    if version is not None and stop is not None:
        message = "Give --version to begin a trial or --stop to end one, not both."
        raise typer.BadParameter(message)
    with invocation.workspace() as workspace:
        registry, actor = workspace.registry, workspace.settings.actor
        if version is not None:
            registry.begin_trial(name, version, actor, canary_share=canary)
        elif stop is not None:
            registry.end_trial(name, actor, stop)
        record = registry.trial(name)
    invocation.show(_tell(name, record))
    invocation.result({"name": name, "trial": None if record is None else asdict(record)})


def _tell(name: str, record: TrialRecord | None) -> str:
    if record is None:
        return f"{name} was never tried beside its champion."
    found, plan = record.found, record.plan
    role = f"answers {plan.canary_share:.0%} of the requests" if plan.canary_share else "looks on"
    state = "goes on" if record.ended_at is None else f"ended by {record.ended_by}: {record.reason}"
    return (
        f"{name} version {plan.version} {role}; the trial {state}\n"
        f"compared {found.comparisons}, failed {found.failures}, answered {found.canaried}; differs by "
        f"{found.difference:.2%} on average, {found.difference_worst:.2%} at worst"
    )
