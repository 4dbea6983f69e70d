"""``cityforge rules export`` and ``import``: DMN tables, spreadsheets and the graph, for other tools."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cityforge.invocation import Invocation
from cityforge.packs import find_pack
from cityforge.rule_files import read_text, write_text
from contracts import ConfigurationError, DataError, Pack, load_pack
from knowledge_graph import (
    Change,
    DecisionTable,
    Rule,
    RuleSet,
    apply_workbook,
    check_text,
    compare_rules,
    load_procedures,
    put_table,
    read_dmn,
    write_dmn,
    write_graphml,
    write_workbook,
)

from .rules import load_pack_rules

PackArgument = Annotated[str, typer.Argument(help="Pack: a folder or a name.")]


def export(
    invocation: Invocation,
    pack: PackArgument,
    to: Annotated[Path, typer.Argument(help="File to write: .graphml, .xlsx or .dmn.", metavar="FILE")],
    *,
    risk: Annotated[str | None, typer.Option("--risk", help="Id of the risk, for .xlsx and .dmn.")] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Decision table, for .dmn; default the only one.")
    ] = None,
) -> None:
    """Write the graph of a pack as GraphML, a risk as a spreadsheet, or a decision table as DMN.

    [bold]Examples[/bold]

        cityforge rules export my-pack graph.graphml
        cityforge rules export my-pack flood.xlsx --risk flood.underpass
        cityforge rules export my-pack closing.dmn --risk flood.underpass --table closing
    """
    found = load_pack(find_pack(pack, base=invocation.settings.folder))
    ruleset = load_pack_rules(found)
    if to.suffix == ".graphml":
        content = write_graphml(ruleset).encode()
    elif to.suffix == ".xlsx":
        rule = _rule(ruleset, risk)
        content = write_workbook(rule, read_text(found.rules / rule.file))
    elif to.suffix == ".dmn":
        content = write_dmn(_table(_rule(ruleset, risk), table)).encode()
    else:
        message = f"{str(to)!r} ends with none of .graphml, .xlsx and .dmn. Name the file with one of them."
        raise DataError(message)
    try:
        to.write_bytes(content)
    except OSError as exc:
        message = f"{to} cannot be written: {exc}. Give a place that can be written."
        raise DataError(message) from exc
    invocation.out.print(f"wrote {escape(str(to))}", soft_wrap=True)
    invocation.result({"file": to, "bytes": len(content)})


def import_file(
    invocation: Invocation,
    pack: PackArgument,
    file: Annotated[Path, typer.Argument(help="Spreadsheet (.xlsx) or decision table (.dmn).", metavar="FILE")],
    *,
    risk: Annotated[str, typer.Option("--risk", help="Id of the risk that it goes into.")],
    table: Annotated[str | None, typer.Option("--table", help="Name of the table, for .dmn; default its own.")] = None,
) -> None:
    """Put a spreadsheet's numbers and tables, or a DMN table, into a rule file; nothing is written unless it passes.

    [bold]Examples[/bold]

        cityforge rules import my-pack flood.xlsx --risk flood.underpass
        cityforge rules import my-pack closing.dmn --risk flood.underpass
    """
    found = load_pack(find_pack(pack, base=invocation.settings.folder))
    ruleset = load_pack_rules(found)
    rule = _rule(ruleset, risk)
    path = found.rules / rule.file
    before = read_text(path)
    content = _read(file)
    if file.suffix == ".xlsx":
        after = apply_workbook(rule.file, before, content)
    elif file.suffix == ".dmn":
        read = read_dmn(content)
        after = put_table(rule.file, before, table or read.name, read)
    else:
        message = f"{str(file)!r} is neither .xlsx nor .dmn. Give one that `cityforge rules export` writes."
        raise DataError(message)
    changes = _changes(found, rule, before, after)
    if changes:
        write_text(path, after)
    for change in changes:
        invocation.out.print(f"  {escape(str(change.text))}", soft_wrap=True)
    invocation.out.print(f"{len(changes)} changes in {escape(str(path))}", soft_wrap=True)
    invocation.result({"file": path, "changes": [asdict(change) for change in changes]})


def _changes(pack: Pack, rule: Rule, before: str, after: str) -> list[Change]:
    """Return what the import changes.

    Raises:
        ConfigurationError: if the rule would not pass the check; every problem is listed.
    """
    procedures = load_procedures(pack.procedures)
    sets: list[RuleSet] = []
    for text in (before, after):
        report = check_text(rule.file, text, pack.signs, pack.places, procedures, timezone=pack.header.timezone)
        if report.ruleset is None:
            title = "The rule with what was imported"
            raise ConfigurationError(title, report.problems)
        sets.append(report.ruleset)
    return compare_rules(*sets)


def _rule(ruleset: RuleSet, risk: str | None) -> Rule:
    for rule in ruleset.rules:
        if risk in {rule.id, rule.id.rpartition(".")[2]}:
            return rule
    known = ", ".join(rule.id for rule in ruleset.rules)
    message = f"No risk {risk!r} in this pack. Name one with --risk: {known}."
    raise DataError(message)


def _table(rule: Rule, name: str | None) -> DecisionTable:
    known = ", ".join(rule.tables) or "none"
    if name is None and len(rule.tables) == 1:
        return next(iter(rule.tables.values()))
    if name is None or name not in rule.tables:
        message = f"{rule.id!r} has no table {name!r}. Name one with --table: {known}."
        raise DataError(message)
    return rule.tables[name]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        message = f"{file} cannot be read: {exc}. Give a file that is there."
        raise DataError(message) from exc
