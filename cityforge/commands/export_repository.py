"""``cityforge export-repository``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from registry import export_repository as write_repository


def export_repository(
    invocation: Invocation,
    folder: Annotated[Path, typer.Argument(help="Folder to write; an earlier export in it is replaced.")],
) -> None:
    """Write the champions as a model repository that Triton and KServe serve as it is.

    [bold]Example[/bold]

        cityforge export-repository build/models
    """
    with invocation.workspace() as workspace:
        exported = write_repository(workspace.store, workspace.releases, folder)
    table = Table(title=f"{len(exported)} models in {folder}")
    for column in ("model", "version", "sha256"):
        table.add_column(column)
    for model in exported:
        table.add_row(model.name, str(model.version), model.sha256[:12])
    invocation.show(table)
    invocation.result({"folder": str(folder), "models": exported})
