"""``cityforge reconcile``."""

from __future__ import annotations

from rich.table import Table

from cityforge.invocation import Invocation, RefusedError


def reconcile(invocation: Invocation) -> None:
    """Compare MLflow's aliases with the ledger, put back what was moved by hand, and report it.

    Such a move changes nothing of what answers: the ledger alone says who is champion. Exit code 3 says that something
    was found; the audit keeps it.

    [bold]Example[/bold]

        cityforge reconcile
    """
    with invocation.workspace() as workspace:
        drifts = workspace.registry.reconcile()
    table = Table("model", "ledger", "alias", "found")
    for drift in drifts:
        table.add_row(drift.name, str(drift.expected or "-"), str(drift.found or "-"), drift.detail)
    invocation.show(table if drifts else "Every alias in MLflow names the ledger's champion.")
    invocation.result({"drifts": drifts})
    if drifts:
        message = f"{len(drifts)} aliases in MLflow were not the ledger's."
        raise RefusedError(message)
