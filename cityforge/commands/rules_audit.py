"""``cityforge rules audit``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from cityforge.commands.rules_backtest import READINGS
from cityforge.invocation import Invocation
from cityforge.packs import find_pack
from cityforge.rule_pasts import choose_past, decide_from_ms, judge_past
from contracts import DataError, format_utc, load_pack, parse_utc, to_ms
from early_warning.scoring import ScoringPlan
from operations.rule_audits import AuditCase, draw_audits

COLUMNS = ("risk", "place", "time", "until", "probability", "looked", "came")


def audit(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="Pack: a folder or a name.", show_default=False)],
    *,
    to: Annotated[Path, typer.Option("--to", help="CSV to write, one line a case; its last column is to be filled.")],
    share: Annotated[float, typer.Option(min=1e-6, max=1.0, help="Share of the quiet cases to look at.")] = 0.01,
    readings: READINGS = None,
    since: Annotated[str | None, typer.Option("--from", help="Event time from which to draw.")] = None,
    seed: Annotated[int, typer.Option(help="Another number draws other cases.")] = 0,
) -> None:
    """Draw quiet cases for somebody to look at: did the risk come, although nothing was warned of?

    Write yes or no under `came` and hand the file to `cityforge rules learn`. Without such audits rules would only ever
    learn from their own alarms.

    [bold]Example[/bold]

        cityforge rules audit water_main --share 0.02 --to audits.csv
    """
    loaded = load_pack(find_pack(pack, base=Path.cwd()))
    if to.exists():
        message = f"{to} exists and may hold answers. Give another file, or remove it first."
        raise DataError(message)
    with invocation.workspace() as workspace, invocation.progress() as progress:
        task = progress.add_task("reading", total=100)

        def report(doing: str, done: float) -> None:
            progress.update(task, description=doing, completed=round(100 * done))

        source = choose_past(workspace, loaded, readings, report)
        known = source.find()
        begin = decide_from_ms(known.policy, None if since is None else to_ms(parse_utc(since)))
        judged = judge_past(known, None, ScoringPlan(begin))
    cases = draw_audits(judged, share, from_ms=begin, seed=seed)
    _write(to, cases)
    invocation.show(f"{len(cases)} quiet cases to look at are in {to}.")
    invocation.result({"file": to, "cases": len(cases), "share": share})


def _write(path: Path, cases: list[AuditCase]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in cases:
            times = (format_utc(one.time_ms), format_utc(one.until_ms))
            writer.writerow([one.risk, one.place, *times, f"{one.probability:.3g}", f"{one.looked:g}", ""])
