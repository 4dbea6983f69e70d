"""``cityforge log``: what models were asked, and another version's answers to it."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any

import typer
from rich.table import Table

from cityforge.invocation import Invocation
from contracts import ConfigurationError, Problem, format_utc, parse_utc, to_ms
from serving.engine import open_release
from serving.inference_log import read_log
from serving.log_replay import LogReplay, replay_log


def show(invocation: Invocation) -> None:
    """Show what was logged of which model.

    Logging is off until `inference_log_share` is set in cityforge.toml.

    [bold]Examples[/bold]

        cityforge log show
    """
    folder = invocation.settings.inference_log_folder
    found: list[dict[str, Any]] = []
    for path in sorted(each for each in folder.glob("*") if each.is_dir()):
        times, versions = [], set()
        for entry in read_log(folder, path.name):
            times.append(entry.time_ms)
            versions.add(entry.version)
        if times:
            span = {"since": format_utc(min(times)), "until": format_utc(max(times))}
            found.append({"model": path.name, "requests": len(times), **span, "versions": sorted(versions)})
    table = Table("model", "requests", "since", "until", "versions")
    for row in found:
        table.add_row(row["model"], str(row["requests"]), row["since"], row["until"], str(row["versions"]))
    if found:
        invocation.show(table)
    else:
        invocation.show(f"Nothing is logged in {folder}. Set inference_log_share in cityforge.toml, such as 0.01.")
    invocation.result({"folder": folder, "models": found})


def replay(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(help="Name of the model.", show_default=False)],
    *,
    version: Annotated[int, typer.Option(min=1, help="The version to try.")],
    since: Annotated[str | None, typer.Option(help="First time, such as 2026-01-31T00:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Time to stop before.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most requests to replay.")] = 10_000,
) -> None:
    """Ask another version what was asked before, and say how its answers differ from those that were given.

    A difference says that two versions disagree, not which one is right: gates and a person decide that.

    [bold]Examples[/bold]

        cityforge log replay water-flow-ridge --version 3
        cityforge log replay water-flow-ridge --version 3 --since 2026-01-31T00:00:00Z --json
    """
    span = {"since_ms": since, "until_ms": until}
    bounds = {key: None if text is None else to_ms(parse_utc(text)) for key, text in span.items()}
    with invocation.workspace() as workspace, invocation.progress() as progress:
        registered = workspace.registry.version(name, version)
        manifest = workspace.releases.manifest(registered.sha256, name, version)
        model = open_release(workspace.releases, manifest)
        task = progress.add_task(f"replay to version {version}", total=None)
        entries = islice(read_log(workspace.settings.inference_log_folder, name, **bounds), limit)
        found = replay_log(entries, model, lambda asked: progress.update(task, completed=asked))
    if not found.asked:
        text = f"holds no request to {name!r} in that span."
        remedy = "See `cityforge log show`; nothing is logged until inference_log_share is set."
        title = "The replay"
        raise ConfigurationError(title, [Problem("inference log", text, remedy)])
    invocation.show(_tell(found))
    invocation.result(asdict(found))


def _tell(found: LogReplay) -> str:
    lines = [
        f"{found.asked} requests to {found.model}, answered by versions {sorted(found.answered_by)}:",
        f"  of version {found.version}'s answers {found.identical} are identical, {found.failed} failed",
    ]
    if found.difference is not None and found.worst_at_ms is not None:
        at = format_utc(found.worst_at_ms)
        lines += [
            f"  differs by {found.difference:.2%} on average, by {found.worst:.2%} at worst (asked {at})",
            f"  a run takes {found.run_ms:.2f} ms here; logged answers took {found.logged_ms:.2f} ms, waiting included",
        ]
    return "\n".join([*lines, *(f"  failed: {reason}" for reason in found.reasons)])
