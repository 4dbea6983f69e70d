"""``cityforge import``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cityforge.invocation import Invocation, RefusedError
from cityforge.tables import gates_table
from training.vision import import_declared, load_declaration


def import_model(
    invocation: Invocation,
    declaration: Annotated[Path, typer.Argument(help="TOML file that declares the network and its pictures.")],
    *,
    promote: Annotated[bool, typer.Option("--promote", help="Make the version champion if it passes.")] = False,
) -> None:
    """Register an ONNX detector that was trained elsewhere, judged on labelled pictures like our own.

    The declaration says how the network's input is made and its output is read. Exit code 3 says that the version
    did not pass its gates.

    [bold]Examples[/bold]

        cityforge import street_coco.toml
        cityforge import street_coco.toml --promote
    """
    declared = load_declaration(declaration)
    with invocation.workspace() as workspace:
        with invocation.progress() as progress:
            task = progress.add_task(declared.name, total=100)

            def report(doing: str, share: float) -> None:
                progress.update(task, description=f"{declared.name}: {doing}", completed=round(100 * share))

            result = import_declared(declared, workspace.registry, progress=report)
        promoted = promote and result.passed
        if promoted:
            workspace.registry.promote(
                result.name, result.version, workspace.settings.actor, reason="imported, gates passed"
            )
    invocation.show(gates_table(f"{result.name} version {result.version}", result.gates))
    if promoted:
        invocation.show(f"[green]{result.name} is champion.[/green]")
    invocation.result({"result": asdict(result), "promoted": promoted})
    if not result.passed:
        message = f"Registered as rejected, because a gate did not pass. See `cityforge show {result.name}`."
        raise RefusedError(message)
