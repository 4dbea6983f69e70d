"""``cityforge rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from cityforge.invocation import Invocation


def rollback(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(help="Name of the model.", show_default=False)],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.", show_default=False)],
) -> None:
    """Put the champion before the present one back.

    [bold]Example[/bold]

        cityforge rollback water-flow-ridge --reason "false alarms since Tuesday"
    """
    with invocation.workspace() as workspace:
        entry = workspace.registry.rollback(name, workspace.settings.actor, reason)
    invocation.show(
        f"[green]{name} version {entry.manifest.version} is champion again[/green] (ledger entry {entry.sequence})."
    )
    invocation.result({"entry": entry})
