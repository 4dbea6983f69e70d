"""``cityforge rules learn``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityforge.commands.rules_backtest import EVENTS, READINGS
from cityforge.invocation import Invocation
from cityforge.packs import copy_pack, find_pack
from cityforge.rule_files import read_text, write_text
from cityforge.rule_pasts import (
    PastSource,
    RulePast,
    changes_table,
    choose_past,
    decide_from_ms,
    judge_past,
    load_pack_ruleset,
)
from cityforge.workspace import Workspace
from contracts import DataError, Episode, Pack, Verdict, load_pack, parse_utc, to_ms
from early_warning.scoring import ScoringPlan
from knowledge_graph import compile_rules
from knowledge_graph.lessons import Proposal, propose
from knowledge_graph.revising import revise
from operations.rule_judgement import RiskChange, compare_rules, read_events
from operations.rule_lessons import JudgedCase, cases_of_verdicts, gather_cases, read_audits
from store import EpisodeFilter, Store

PAGE = 1000


def learn(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="Pack: a folder or a name.", show_default=False)],
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder for a copy of the pack with the numbers proposed.")],
    audits: Annotated[list[Path] | None, typer.Option("--audits", help="Audited quiet cases, answered.")] = None,
    readings: READINGS = None,
    events: EVENTS = None,
    since: Annotated[str | None, typer.Option("--from", help="Event time from which verdicts count.")] = None,
    memory: Annotated[float, typer.Option(min=0, max=1, help="Share of what was learned left a month later.")] = 0.8,
) -> None:
    """Propose other numbers for a pack's rules, as verdicts and audits say: a diff to be reviewed, never a change.

    Each month is foretold with what was learned until then, and with the veteran's numbers. The copy of the pack is
    checked, tested, registered and promoted like any other change.

    [bold]Example[/bold]

        cityforge rules learn my-pack --audits audits.csv --to proposed
    """
    loaded = load_pack(find_pack(pack, base=Path.cwd()))
    with invocation.workspace() as workspace, invocation.progress() as progress:
        task = progress.add_task("reading", total=100)

        def report(doing: str, done: float) -> None:
            progress.update(task, description=doing, completed=round(100 * done))

        source = choose_past(workspace, loaded, readings, report)
        known = source.find()
        begin = None if since is None else to_ms(parse_utc(since))
        judged = [case for path in audits or () for case in read_audits(path, known.rules)]
        judged += _answered(workspace, known)
        judged = [case for case in judged if begin is None or case.time_ms >= begin]
        proposals, reasons = _propose(known, judged, memory)
        if not proposals:
            message = f"Nothing is proposed: {' '.join(reasons)}"
            raise DataError(message)
        copy_pack(loaded.folder, to)
        diff = _write(loaded, to, proposals)
        changes = _compare(source, known, to, events)
    for proposal in proposals:
        invocation.show(_table(proposal))
    invocation.show(changes_table(changes))
    invocation.out.print("\n".join(diff), markup=False, highlight=False, soft_wrap=True)
    for reason in reasons:
        invocation.show(reason)
    invocation.result(
        {
            "folder": to,
            "cases": len(judged),
            "proposals": [asdict(one) for one in proposals],
            "not_proposed": reasons,
            "changes": {risk: asdict(one) for risk, one in changes.items()},
            "diff": diff,
        }
    )


def _answered(workspace: Workspace, known: RulePast) -> list[JudgedCase]:
    """Return the cases of verdicts that lie in the past at hand."""
    store, rules = workspace.store, known.rules
    first, last = int(known.past.times_ms[0]), int(known.past.times_ms[-1])
    episodes = [one for one in _episodes(store, first, last + 1) if one.risk in rules.templates]
    episodes = [one for one in episodes if one.place in rules.templates[one.risk].rule.places]
    verdicts: dict[str, Verdict] = {one.id: found[-1] for one in episodes if (found := store.verdicts.find(one.id))}
    return cases_of_verdicts(episodes, verdicts)


def _episodes(store: Store, since_ms: int, until_ms: int) -> list[Episode]:
    found: list[Episode] = []
    after = None
    while page := store.episodes.find(EpisodeFilter(since_ms=since_ms, until_ms=until_ms, limit=PAGE, after=after)):
        found += page
        after = page[-1].id
    return found


def _propose(known: RulePast, judged: Sequence[JudgedCase], memory: float) -> tuple[list[Proposal], list[str]]:
    proposals, reasons = [], []
    for risk, template in known.rules.templates.items():
        try:
            cases = gather_cases(known.rules, risk, known.past, judged)
            proposals.append(propose(template.rule, cases, memory))
        except DataError as exc:
            reasons.append(str(exc))
    return proposals, reasons


def _write(pack: Pack, folder: Path, proposals: Sequence[Proposal]) -> list[str]:
    """Write the numbers proposed into the copy; return the diff."""
    lines: list[str] = []
    for proposal in proposals:
        before = read_text(pack.rules / proposal.file)
        after = revise(before, proposal.edits())
        write_text(folder / "rules" / proposal.file, after)
        names = (f"{pack.header.id}/rules/{proposal.file}", f"proposed/rules/{proposal.file}")
        lines += difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
    return lines


def _compare(source: PastSource, known: RulePast, folder: Path, events: Path | None) -> dict[str, RiskChange]:
    plan = ScoringPlan(decide_from_ms(known.policy, None))
    truth = None if events is None else read_events(events, known.rules)
    other = compile_rules(load_pack_ruleset(load_pack(folder), like=known.rules.ruleset))
    before, after = judge_past(known, truth, plan), judge_past(source.find(other), truth, plan)
    return compare_rules(before, after, truth or [], plan)


def _table(proposal: Proposal) -> Table:
    table = Table(
        "number", "now", "proposed", title=f"{proposal.risk}: {proposal.cases} cases, {proposal.storms} storms"
    )
    for one in proposal.changes:
        table.add_row(one.name, f"{one.before:.4g}", f"{one.after:.4g} ({one.yes:g} of {one.of:g})")
    table.caption = f"Brier score on months not yet seen: {proposal.brier_before:.4g} → {proposal.brier_after:.4g}"
    return table
