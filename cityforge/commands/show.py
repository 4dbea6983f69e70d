"""``cityforge show``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.tables import figure, gates_table
from contracts import LedgerEntry
from registry import Version, VersionCard


def show(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(help="Name of the model.", show_default=False)],
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Version; default the champion, else the newest.")] = None,
) -> None:
    """Show one model: its versions, the gates of one, what it was made from, and its way through the ledger.

    [bold]Examples[/bold]

        cityforge show water-flow-ridge
        cityforge show water-flow-ridge --version 2 --json
    """
    with invocation.workspace() as workspace:
        card = workspace.registry.show(name, version)
        versions = workspace.registry.versions(name)
    invocation.show(versions_table(name, versions))
    invocation.show(gates_table(f"Gates of version {card.version.version} ({card.version.status})", card.version.gates))
    invocation.show(lineage_table(card))
    invocation.show(ledger_table(card.history))
    invocation.result({"card": asdict(card), "versions": [asdict(one) for one in versions]})


def versions_table(name: str, versions: list[Version]) -> Table:
    """Return all versions, newest first."""
    table = Table("version", "status", "gates", "mae", "mae ratio", "created", title=name, title_justify="left")
    for one in versions:
        failed = [gate.name for gate in one.gates if not gate.passed]
        verdict = "[green]passed[/green]" if one.passed else f"[red]{', '.join(failed) or 'not judged'}[/red]"
        figures = (figure(one.metrics.get("mae")), figure(one.metrics.get("mae_ratio")))
        table.add_row(str(one.version), one.status, verdict, *figures, f"{one.created_at:%Y-%m-%d %H:%M}Z")
    return table


def lineage_table(card: VersionCard) -> Table:
    """Return what a version was made from and where it is kept."""
    table = Table("what", "value", title=f"Lineage of version {card.version.version}", title_justify="left")
    rows = {
        "sha256": card.manifest.sha256,
        "size": f"{card.manifest.size_bytes} bytes",
        "signs": ", ".join(card.manifest.signs) or "-",
        "run": f"{card.version.run_id} {card.run_url}".strip(),
        "fingerprint": card.version.fingerprint or "-",
        **{key: value for key, value in card.tags.items() if not key.startswith(("fingerprint", "verdict", "gate."))},
        **{f"data ({one.get('context', '')})": f"{one.get('name')} {one.get('sha256', '')}" for one in card.datasets},
        **card.parameters,
    }
    for key, value in rows.items():
        table.add_row(key, str(value))
    return table


def ledger_table(history: tuple[LedgerEntry, ...]) -> Table:
    """Return the promotions of a version, oldest first."""
    table = Table("entry", "time", "action", "version", "actor", "reason", title="Ledger", title_justify="left")
    for entry in history:
        when = f"{entry.time:%Y-%m-%d %H:%M:%S}Z"
        row = (str(entry.sequence), when, entry.action, str(entry.manifest.version), entry.actor, entry.reason)
        table.add_row(*row)
    return table
