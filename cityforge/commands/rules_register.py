"""``cityforge rules register``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.commands.rules_backtest import EVENTS, READINGS
from cityforge.invocation import Invocation
from cityforge.packs import find_pack
from cityforge.rule_pasts import choose_past, decide_from_ms
from cityforge.rule_versions import Trial, register_rules
from contracts import load_pack
from early_warning.scoring import ScoringPlan
from operations.rule_judgement import read_events


def register(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="Pack: a folder or a name.", show_default=False)],
    *,
    readings: READINGS = None,
    events: EVENTS = None,
) -> None:
    """Judge a pack's rules by their gates and register them as a version, to be promoted like a model.

    Once a version is promoted, the platform runs on it and not on the folder: a change comes into force by registering
    and promoting it, at the next instant and without a restart. No timer starts again.

    [bold]Examples[/bold]

        cityforge rules register water_main --readings year.parquet --events bursts.csv
        cityforge promote construction.water_main.rules
        cityforge rollback construction.water_main.rules --reason "too many calls at night"
    """
    loaded = load_pack(find_pack(pack, base=Path.cwd()))
    with invocation.workspace() as workspace, invocation.progress() as progress:
        task = progress.add_task("judging", total=100)

        def report(doing: str, share: float) -> None:
            progress.update(task, description=doing, completed=round(100 * share))

        trial = None
        if events is not None:
            source = choose_past(workspace, loaded, readings, report)
            known = source.find()
            plan = ScoringPlan(decide_from_ms(known.policy, None))
            trial = Trial(source, read_events(events, known.rules), plan)
        version = register_rules(workspace, loaded, trial)
    table = Table("gate", "", "detail", title=f"{version.name} version {version.version}: {version.status}")
    for gate in version.gates:
        table.add_row(gate.name, "passed" if gate.passed else "[red]failed[/red]", gate.detail)
    invocation.show(table)
    if events is None:
        invocation.show("Without --events the past could not be judged; promoting takes --override with a reason.")
    invocation.result({"version": version})
