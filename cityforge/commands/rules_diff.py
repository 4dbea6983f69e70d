"""``cityforge rules diff``: what a change of rules means, in words and on past cases."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.packs import find_pack
from cityforge.rule_cases import cases_of_store
from cityforge.rule_revisions import at_revision
from cityforge.settings import WarningLanguage
from contracts import ConfigurationError, DataError, Level, Problem, Text, load_pack
from knowledge_graph import (
    CaseReport,
    Change,
    PastCase,
    RuleSet,
    compare_cases,
    compare_rules,
    compile_rules,
    read_cases,
)

from .rules import load_pack_rules

SHOWN_CASES = 20
COLOURS = {Level.BLUE: "blue", Level.YELLOW: "yellow", Level.ORANGE: "dark_orange", Level.RED: "red"}


def diff(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="Pack as it is: a folder or a name.")],
    other: Annotated[
        str | None, typer.Argument(help="Pack as it is to be; then the first one is the old one.", show_default=False)
    ] = None,
    *,
    since: Annotated[
        str, typer.Option("--since", help="Git revision to compare the pack's working tree with.", metavar="REVISION")
    ] = "HEAD",
    cases: Annotated[
        str | None,
        typer.Option("--cases", help="Past cases: a CSV or JSON file, or 'store' for past episodes.", metavar="FILE"),
    ] = None,
) -> None:
    """Say what changed in the rules as a reviewer would, and which past cases change level by it.

    With one pack, its working tree is compared with a git revision. Exit code 0 whether or not something changed.

    [bold]Examples[/bold]

        cityforge rules diff my-pack --since main
        cityforge rules diff old-pack new-pack --cases cases.csv
        cityforge rules diff my-pack --cases store
    """
    base = invocation.settings.folder
    with ExitStack() as stack:
        newer = find_pack(other or pack, base=base)
        older = find_pack(pack, base=base) if other is not None else stack.enter_context(at_revision(newer, since))
        old, new = _load(older, "old"), _load(newer, "new")
    changes = compare_rules(old, new)
    report = None
    if cases is not None:
        before, after = compile_rules(old), compile_rules(new)
        listed = _cases(invocation, cases, base) if cases != "store" else None
        if listed is None:
            with invocation.workspace() as workspace:
                listed = cases_of_store(workspace.store, after)
        report = compare_cases(before, after, listed)
    _show(invocation, changes, report)
    invocation.result(_as_json(changes, report))


def _load(folder: Path, which: str) -> RuleSet:
    try:
        return load_pack_rules(load_pack(folder))
    except ConfigurationError as exc:
        title = f"The {which} pack"
        raise ConfigurationError(title, exc.problems) from exc


def _cases(invocation: Invocation, name: str, base: Path) -> list[PastCase]:
    path = base / name
    try:
        content = path.read_bytes()
    except OSError as exc:
        message = f"{path} cannot be read: {exc}. Give a CSV or JSON file of past cases, or the word 'store'."
        raise DataError(message) from exc
    found = read_cases(path.name, content)
    if not found:
        title = f"The past cases {name}"
        raise ConfigurationError(title, [Problem(name, "holds no case.", "Write one case a line.")])
    invocation.note(f"{len(found)} past cases read.")
    return found


def _show(invocation: Invocation, changes: list[Change], report: CaseReport | None) -> None:
    language = invocation.settings.language
    if not changes:
        invocation.show(_say(Text(zh="规则没有实质变化", en="The rules mean the same"), language))
    for rule, group in groupby(changes, key=lambda change: change.rule):
        invocation.show(f"[bold]{escape(rule)}[/]")
        for change in group:
            sign, colour = (
                ("+", "green") if change.before is None else ("-", "red") if change.after is None else ("~", "yellow")
            )
            invocation.out.print(f"  [{colour}]{sign}[/] {escape(_say(change.text, language))}", soft_wrap=True)
    if report is None:
        return
    invocation.show(f"\n[bold]{_say(report.text, language)}[/]")
    for (before, after), count in report.transitions().items():
        invocation.show(f"  {count:>4} × {_coloured(before)} → {_coloured(after)}")
    if report.changes:
        table = Table("case", "rule", "before", "after", box=None)
        for one in report.changes[:SHOWN_CASES]:
            table.add_row(escape(one.case), one.risk, _coloured(one.before), _coloured(one.after))
        if len(report.changes) > SHOWN_CASES:
            table.caption = f"the first {SHOWN_CASES} of {len(report.changes)}; all of them with --json"
        invocation.show(table)
    if report.unusable:
        invocation.note(
            f"{len(report.unusable)} cases could not be asked; the first: {escape(str(report.unusable[0]))}"
        )


def _say(text: Text, language: WarningLanguage) -> str:
    """Return a sentence in the language asked for; in both, what they share is said once."""
    if language is not WarningLanguage.BOTH or text.zh == text.en:
        return text.en if language is WarningLanguage.EN else text.zh
    head, colon, _ = text.zh.partition("：")
    return f"{head} / {text.en}" if colon else str(text)


def _coloured(level: Level | None) -> str:
    return "none" if level is None else f"[{COLOURS.get(level, 'white')}]{level}[/]"


def _as_json(changes: list[Change], report: CaseReport | None) -> dict[str, object]:
    listed = [{**asdict(change), "text": change.text.model_dump()} for change in changes]
    if report is None:
        return {"changes": listed, "cases": None}
    return {
        "changes": listed,
        "cases": {
            "asked": report.cases,
            "changed": report.changed,
            "text": report.text.model_dump(),
            "changes": [asdict(change) for change in report.changes],
            "unusable": [{"case": one.where, "message": one.message} for one in report.unusable],
        },
    }
