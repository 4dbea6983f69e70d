"""``cityforge label``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.workspace import Workspace
from contracts import ConfigurationError, Problem, ReleaseManifest, Task, decode_picture
from gpu import open_session
from training.vision import LabelForm, find_pictures, look_at, look_through, pick_pictures, write_picks

_DEFAULT_SCORE = 0.25


def label(  # noqa: PLR0913 - one option each
    invocation: Invocation,
    model: Annotated[str, typer.Argument(help="Detector that looks through the pictures.")],
    pictures: Annotated[Path, typer.Argument(help="Folder of unlabelled pictures.")],
    *,
    count: Annotated[int, typer.Option("--count", min=1, help="How many to pick.")] = 50,
    to: Annotated[Path, typer.Option("--to", help="File to write.")] = Path("label.json"),
    form: Annotated[LabelForm, typer.Option("--for", help="For which program.")] = LabelForm.LABEL_STUDIO,
    labelled: Annotated[
        Path | None, typer.Option("--labelled", help="Folder of pictures that are labelled already.")
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="Version; default the champion, or the newest.")
    ] = None,
    score: Annotated[
        float | None, typer.Option("--score", min=0, max=1, help="Where the application cuts; default the model's.")
    ] = None,
) -> None:
    """Pick the pictures worth labelling next, and write them for Label Studio or CVAT with the boxes found so far.

    Worth labelling is what the detector doubts and what looks like nothing picked before.

    [bold]Examples[/bold]

        cityforge label street.potholes new_pictures/ --count 100 --to tasks.json
        cityforge label street.potholes new_pictures/ --for cvat --to annotations.xml --labelled potholes/images
    """
    with invocation.workspace() as workspace:
        manifest = _manifest(workspace, model, version)
        session = open_session(workspace.releases.path(manifest.sha256))
    least_score = score if score is not None else float(manifest.metadata.get("suggested_score", _DEFAULT_SCORE))
    paths = find_pictures(pictures)
    with invocation.progress() as progress:
        task = progress.add_task("looking through pictures", total=len(paths))
        candidates, problems = look_through(
            session, paths, least_score=least_score, progress=lambda done, _all: progress.update(task, completed=done)
        )
        known = [] if labelled is None else find_pictures(labelled)
        looks = [
            look_at(decode_picture(path.read_bytes(), name=str(path)))
            for path in progress.track(known, description="labelled pictures")
        ]
    picks = pick_pictures(candidates, count, labelled=looks)
    name = f"{manifest.name}:{manifest.version}"
    written = write_picks(picks, manifest.labels, to, form=form, root=pictures, model=name)
    table = Table("rank", "picture", "doubt", "worth", "boxes", title=f"Worth labelling next, by {name}")
    for pick in picks[:20]:
        one = pick.candidate
        row = (pick.rank, one.path.name, f"{one.uncertainty:.2f}", f"{pick.worth:.2f}", len(one.boxes))
        table.add_row(*map(str, row))
    invocation.show(table)
    for problem in problems:
        invocation.note(f"[yellow]{problem}[/yellow]")
    invocation.show(f"{len(picks)} of {len(paths)} pictures written to {', '.join(map(str, written))}.")
    invocation.result(
        {
            "model": name,
            "pictures": len(paths),
            "picked": [
                {"path": str(p.candidate.path), "doubt": p.candidate.uncertainty, "worth": p.worth} for p in picks
            ],
            "written": [str(path) for path in written],
            "left_out": [str(problem) for problem in problems],
        }
    )


def _manifest(workspace: Workspace, model: str, version: int | None) -> ReleaseManifest:
    manifest = workspace.registry.show(model, version).manifest
    if manifest.task is not Task.DETECT:
        title = "The command"
        raise ConfigurationError(title, [Problem(model, f"can {manifest.task}, not detect.", "Name a detector.")])
    return manifest
