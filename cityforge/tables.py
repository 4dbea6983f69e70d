"""Tables for people that more than one command prints."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from contracts import GateResult


def gates_table(title: str, gates: Iterable[GateResult]) -> Table:
    """Return the gates of a version with the figures they used."""
    table = Table("gate", "verdict", "measured", "limit", "detail", title=title, title_justify="left")
    for gate in gates:
        verdict = "[green]passed[/green]" if gate.passed else "[red]failed[/red]"
        table.add_row(gate.name, verdict, figure(gate.value), figure(gate.limit), gate.detail)
    return table


def figure(value: float | None) -> str:
    """Return a figure with four significant digits; a dash where there is none."""
    return "-" if value is None else f"{value:.4g}"
