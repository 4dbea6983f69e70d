"""``cityforge rules``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from cityforge.invocation import Invocation, RefusedError
from cityforge.packs import load_packs
from contracts import ConfigurationError, Pack, Problem
from knowledge_graph import (
    CheckReport,
    RuleSet,
    compile_rules,
    cover_levels,
    load_procedures,
    load_rules,
    run_rule_tests,
)
from knowledge_graph import check as check_rules

PackArguments = Annotated[
    list[str] | None, typer.Argument(help="Packs: folders or names; default those of the settings.", show_default=False)
]


def check(invocation: Invocation, packs: PackArguments = None) -> None:
    """Check the rules of packs and report every problem at once, with file and line.

    Advice says what a rule needs before it is active, which numbers do not fit and which rules end; it fails nothing.

    [bold]Examples[/bold]

        cityforge rules check
        cityforge rules check scenarios/construction/water_main
    """
    rows, advice, problems = [], [], []
    for pack in chosen_packs(invocation, packs):
        report = _check_pack(pack)
        problems += _within(pack, report.problems)
        advice += _within(pack, report.advice)
        if report.ruleset is not None:
            rows.append(_describe(pack, report.ruleset))
    if problems:
        title = "The rules"
        raise ConfigurationError(title, problems)
    table = Table("pack", "rules", "places with rules", "inputs", "covered, by level", title="Rules are right")
    for row in rows:
        levels = ", ".join(f"{one['level']} {one['covered']}/{one['places']}" for one in row["coverage"])
        table.add_row(row["pack"], str(row["rules"]), str(row["places"]), str(row["inputs"]), levels)
    invocation.show(table)
    for one in advice:
        invocation.out.print(f"[yellow]advice[/] {escape(str(one))}", soft_wrap=True)
    listed = [{"where": one.where, "message": one.message, "remedy": one.remedy} for one in advice]
    invocation.result({"packs": rows, "advice": listed})


def _check_pack(pack: Pack) -> CheckReport:
    try:
        procedures = load_procedures(pack.procedures)
    except ConfigurationError as exc:
        known = check_rules(pack.rules, pack.signs, pack.places, {}, timezone=pack.header.timezone)
        others = [one for one in known.problems if "procedure" not in one.message]
        return CheckReport(None, (*exc.problems, *others), ())
    today = datetime.now(ZoneInfo(pack.header.timezone)).date()
    return check_rules(pack.rules, pack.signs, pack.places, procedures, timezone=pack.header.timezone, today=today)


def _within(pack: Pack, found: Iterable[Problem]) -> list[Problem]:
    return [Problem(f"{pack.header.id}/{one.where}", one.message, one.remedy) for one in found]


def _describe(pack: Pack, ruleset: RuleSet) -> dict[str, Any]:
    compiled = compile_rules(ruleset)
    coverage = [
        {"level": one.level, "places": one.places, "covered": one.places - len(one.missing), "missing": one.missing}
        for one in cover_levels(ruleset)
    ]
    return {
        "pack": pack.header.id,
        "rules": len(ruleset.rules),
        "places": len(compiled.places),
        "inputs": len(compiled.bindings),
        "coverage": coverage,
    }


def run_tests(invocation: Invocation, packs: PackArguments = None) -> None:
    """Run the tests that the rules carry: given these signs, expect this level. Exit code 3 says that one failed.

    [bold]Example[/bold]

        cityforge rules test water_main
    """
    reports = [(pack, run_rule_tests(rules)) for pack, rules in load_all_rules(chosen_packs(invocation, packs))]
    results = [(pack.header.id, result) for pack, report in reports for result in report.results]
    failures = [(pack, result) for pack, result in results if not result.passed]
    table = Table("pack", "rule", "test", "kind", "detail", title="Tests that failed")
    for name, result in failures:
        table.add_row(name, result.rule, str(result.index + 1), result.kind, result.detail)
    if failures:
        invocation.show(table)
    invocation.show(f"{len(results) - len(failures)} of {len(results)} tests passed.")
    invocation.result({"passed": not failures, "tests": [{"pack": name, **asdict(result)} for name, result in results]})
    if failures:
        message = f"{len(failures)} of {len(results)} tests of rules failed."
        raise RefusedError(message)


def chosen_packs(invocation: Invocation, names: list[str] | None) -> list[Pack]:
    """Return the packs named, or those of the settings.

    Raises:
        ConfigurationError: if there are none.
    """
    settings = invocation.settings
    chosen = tuple(names or settings.pack_names())
    if not chosen:
        problem = Problem(
            "packs", "no pack is named.", "Name one, set `packs` in cityforge.toml, or run `cityforge init`."
        )
        title = "The command"
        raise ConfigurationError(title, [problem])
    return load_packs(chosen, base=settings.folder)


def load_all_rules(packs: list[Pack]) -> list[tuple[Pack, RuleSet]]:
    """Read the rules of all packs, and report the problems of all of them at once.

    Raises:
        ConfigurationError: listing every problem.
    """
    loaded: list[tuple[Pack, RuleSet]] = []
    problems: list[Problem] = []
    for pack in packs:
        try:
            loaded.append((pack, load_pack_rules(pack)))
        except ConfigurationError as exc:
            problems.extend(Problem(f"{pack.header.id}/{one.where}", one.message, one.remedy) for one in exc.problems)
    if problems:
        title = "The rules"
        raise ConfigurationError(title, problems)
    return loaded


def load_pack_rules(pack: Pack) -> RuleSet:
    """Read the rules and procedures of one pack."""
    procedures = load_procedures(pack.procedures)
    return load_rules(pack.rules, pack.signs, pack.places, procedures, timezone=pack.header.timezone)
