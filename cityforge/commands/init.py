"""``cityforge init``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.table import Table

from cityforge.inspection import Findings, FoundSeries, describe_duration, inspect_csv
from cityforge.invocation import Invocation
from cityforge.packs import find_pack, installed_packs
from cityforge.project import ProjectPlan, plan_project, write_project
from contracts import ConfigurationError, DataError, Problem, format_utc, load_pack

SHOWN_LINES = 5
SHOWN_SERIES = 20


def init(
    invocation: Invocation,
    *,
    from_csv: Annotated[Path | None, typer.Option("--from", help="CSV of measurements of your own.")] = None,
    pack: Annotated[str | None, typer.Option("--pack", help="Installed pack to copy.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder to make.")] = None,
    timezone: Annotated[
        str, typer.Option(help="IANA zone of times without an offset, and of the calendar.")
    ] = "Asia/Shanghai",
) -> None:
    """Make a project: a copy of a pack, or one from a CSV of your own, ready to train, serve and warn.

    From a CSV it finds the columns, the interval, gaps, duplicates and the time zone, and says what it found. Wide
    files (one column a series) and long ones (a column of names) are both read.

    [bold]Examples[/bold]

        cityforge init --from my.csv --to my-city
        cityforge init --pack construction.water_main --to my-main
    """
    if (from_csv is None) == (pack is None):
        known = ", ".join(f"{path.parent.name}.{path.name}" for path in installed_packs())
        title = "cityforge init"
        raise ConfigurationError(title, [Problem("--from, --pack", "give one of the two.", f"Packs: {known}.")])
    if pack is not None:
        _copy_pack(invocation, pack, to)
    elif from_csv is not None:
        _from_csv(invocation, from_csv, to, timezone)


def _copy_pack(invocation: Invocation, name: str, to: Path | None) -> None:
    source = find_pack(name)
    folder = to or Path(source.name)
    if folder.exists() and any(folder.iterdir()):
        message = f"The folder {str(folder)!r} is not empty. Name another with --to."
        raise DataError(message)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    settings = folder / "cityforge.toml"
    settings.write_text('# Settings of this project; docs/settings.md lists all of them.\nhome = ".cityforge"\n')
    loaded = load_pack(folder)
    _show_next(invocation, f"The pack {loaded.header.id}", folder)
    invocation.result({"folder": folder, "pack": loaded.header.id, "signs": [sign.id for sign in loaded.signs]})


def _from_csv(invocation: Invocation, path: Path, to: Path | None, timezone: str) -> None:
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        message = f"Unknown time zone {timezone!r}. Use an IANA name such as 'Asia/Shanghai'."
        raise DataError(message) from exc
    findings = inspect_csv(path, zone)
    folder = to or Path(path.stem)
    plan = plan_project(findings, folder.resolve().name, timezone)
    files = write_project(folder, plan, findings)
    load_pack(folder)
    _show(invocation, findings, plan)
    _show_next(invocation, "The project", folder)
    invocation.result({"folder": folder, "pack": plan.id, "files": files, "found": _as_data(findings, plan)})


def _show_next(invocation: Invocation, what: str, folder: Path) -> None:
    invocation.show(f"[green]{what} lies in {folder}.[/green] Next: cd {folder} && cityforge train recipes/*.toml")


def _show(invocation: Invocation, findings: Findings, plan: ProjectPlan) -> None:
    time = findings.time
    zone = f"none written, taken as {time.assumed_zone}" if time.assumed_zone else ", ".join(time.offsets)
    table = Table(title=f"Found in {findings.path.name}", title_justify="left", show_header=False)
    table.add_row("form", f"{findings.form}, {findings.rows} rows, {findings.encoding}")
    table.add_row("time", f"{time.name!r} as {time.form}; UTC offset: {zone}")
    for change in time.changes[:SHOWN_LINES]:
        table.add_row("offset changes", f"{format_utc(change.time_ms)}: {change.before} → {change.after}")
    table.add_row("values", ", ".join(findings.value_columns[:SHOWN_SERIES]))
    table.add_row("left out", ", ".join([*findings.left_out, *plan.left_out]) or "nothing")
    table.add_row("out of order", str(findings.out_of_order))
    for line in findings.unreadable[:SHOWN_LINES]:
        table.add_row("unreadable", line)
    table.add_row("windows", " | ".join(plan.windows))
    table.add_row("forecast", f"{plan.context} steps seen, {plan.horizon} ahead, season {plan.season}")
    invocation.show(table)
    rows = Table("series", "unit", "readings", "found")
    for series in findings.series[:SHOWN_SERIES]:
        rows.add_row(series.name, series.unit or "?", str(len(series.values)), _describe_series(series))
    invocation.show(rows)
    hidden = len(findings.series) - SHOWN_SERIES
    if hidden > 0:
        invocation.show(f"and {hidden} more series (--json lists all)")
    if any(not series.unit for series in findings.series):
        invocation.show("[yellow]No unit stands in the header of some series: set it in signs.csv.[/yellow]")


def _describe_series(series: FoundSeries) -> str:
    """Return interval and irregularities of a series in words; what did not occur is not named."""
    found = [f"every {describe_duration(series.interval_s)}"]
    if series.gaps:
        gap = series.gaps[0]
        found.append(f"{series.missing_steps} missing (longest: {gap.steps} from {format_utc(gap.first_ms)})")
    counts = {
        "repeated": series.repeated,
        "revised": series.revised,
        "empty": series.empty,
        "off the grid": series.off_grid,
    }
    return ", ".join([*found, *(f"{count} {name}" for name, count in counts.items() if count)])


def _as_data(findings: Findings, plan: ProjectPlan) -> dict[str, object]:
    return {
        "form": findings.form,
        "time": findings.time.name,
        "offsets": findings.time.offsets,
        "assumed_zone": findings.time.assumed_zone,
        "offset_changes": [format_utc(change.time_ms) for change in findings.time.changes],
        "out_of_order": findings.out_of_order,
        "unreadable": findings.unreadable,
        "left_out": [*findings.left_out, *plan.left_out],
        "windows": plan.windows,
        "series": [
            {
                "name": one.name,
                "unit": one.unit,
                "readings": len(one.values),
                "interval_s": one.interval_s,
                "missing": one.missing_steps,
                "gaps": len(one.gaps),
                "repeated": one.repeated,
                "revised": one.revised,
                "empty": one.empty,
                "off_grid": one.off_grid,
            }
            for one in findings.series
        ],
    }
