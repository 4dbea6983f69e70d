"""``cityforge bento``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cityforge.invocation import Invocation
from serving.bento import build_bento, write_project


def build(
    invocation: Invocation,
    folder: Annotated[Path, typer.Argument(help="New folder for the BentoML project.")],
    *,
    project_only: Annotated[
        bool, typer.Option("--project-only", help="Write the project; leave `bentoml build` to you.")
    ] = False,
) -> None:
    """Pack the champions into a bento that serves alone, without torch and without this machine.

    The folder is an ordinary BentoML project. The bento holds the champions with their golden outputs, places and
    signs; no readings, no warnings and no keys: those come by CITYFORGE_SERVING where it runs.

    [bold]Examples[/bold]

        cityforge bento build packed
        cityforge bento build packed --project-only && bentoml build packed
        bentoml serve cityforge:latest
    """
    with invocation.workspace() as workspace:
        settings = workspace.settings
        project = write_project(folder, workspace.store, workspace.releases, settings.actor)
    invocation.note(f"{len(project.models)} champions written to {folder}")
    tag = None if project_only else build_bento(project)
    if tag is not None:
        invocation.show(f"Built [bold]{tag}[/bold]. Serve it with: bentoml serve {tag}")
    invocation.result({"folder": folder, "models": project.models, "bento": tag})
