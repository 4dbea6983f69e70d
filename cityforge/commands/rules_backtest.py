"""``cityforge rules backtest``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from cityforge.invocation import Invocation
from cityforge.packs import find_pack
from cityforge.rule_pasts import (
    as_document,
    changes_table,
    choose_past,
    decide_from_ms,
    figures_table,
    judge_past,
    load_pack_ruleset,
)
from contracts import load_pack, parse_utc, to_ms
from early_warning.scoring import ScoringPlan
from knowledge_graph import compile_rules
from operations.rule_judgement import compare_rules, read_events
from operations.rule_past import write_past

READINGS = Annotated[
    list[Path] | None,
    typer.Option(
        "--readings",
        help="Panel of readings (sign, time, value) and archived evidence (node@place); default the inbox.",
    ),
]
EVENTS = Annotated[
    Path | None, typer.Option("--events", help="What really happened: CSV with risk, place, start and end.")
]


def backtest(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="Pack: a folder or a name.", show_default=False)],
    *,
    readings: READINGS = None,
    events: EVENTS = None,
    against: Annotated[str | None, typer.Option(help="Pack whose rules stand now, to compare with.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Event time from which it counts.")] = None,
    operators: Annotated[float, typer.Option(min=0.1, help="Operators on duty.")] = 1.0,
    keep: Annotated[Path | None, typer.Option(help="Write what the rules were told, for --readings.")] = None,
) -> None:
    """Run rules over the past: the very episodes they would have opened, and how good those were.

    Without --readings the inbox is replayed through the engine, with the present champions answering. Without --events
    there is no truth to hold against, and only episodes are counted.

    [bold]Examples[/bold]

        cityforge rules backtest water_main --events bursts.csv
        cityforge rules backtest my-pack --readings year.parquet --events floods.csv --against old-pack
    """
    started = time.perf_counter()
    since_ms = None if since is None else to_ms(parse_utc(since))
    loaded = load_pack(find_pack(pack, base=Path.cwd()))
    with invocation.workspace() as workspace, invocation.progress() as progress:
        task = progress.add_task("reading", total=100)

        def report(doing: str, share: float) -> None:
            progress.update(task, description=doing, completed=round(100 * share))

        source = choose_past(workspace, loaded, readings, report)
        known = source.find()
        if keep is not None:
            write_past(known.past, keep)
        plan = ScoringPlan(decide_from_ms(known.policy, since_ms), operators=operators)
        truth = None if events is None else read_events(events, known.rules)
        report("backtesting", 0.5)
        judged = judge_past(known, truth, plan)
        standing = None
        if against is not None:
            other = load_pack(find_pack(against, base=Path.cwd()))
            rules = compile_rules(load_pack_ruleset(other, like=known.rules.ruleset))
            standing = judge_past(source.find(rules), truth, plan)
    changes = None if standing is None else compare_rules(standing, judged, truth or [], plan)
    seconds = time.perf_counter() - started
    invocation.show(figures_table(judged, f"Rules of {loaded.header.id} over {known.past.times_ms.size} instants"))
    if changes is not None:
        invocation.show(changes_table(changes))
    if events is None:
        invocation.show("No events were given: what needs the truth is not measured.")
    told = {node for node, _ in known.past.evidence}
    silent = list(dict.fromkeys(one.node for one in known.rules.bindings if one.node not in told))
    if silent:
        invocation.show(f"No model brought anything for {', '.join(silent)}: the rules were judged without it.")
    invocation.result({"pack": loaded.header.id, **as_document(judged, changes), "silent": silent, "seconds": seconds})
