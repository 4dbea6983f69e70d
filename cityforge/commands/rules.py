"""``cityforge rules``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation, RefusedError
from cityforge.packs import load_packs
from contracts import ConfigurationError, Pack, Problem
from knowledge_graph import RuleSet, compile_rules, load_procedures, load_rules, run_rule_tests

PackArguments = Annotated[
    list[str] | None, typer.Argument(help="Packs: folders or names; default those of the settings.", show_default=False)
]


def check(invocation: Invocation, packs: PackArguments = None) -> None:
    """Check the rules of packs and report every problem at once, with file and line.

    [bold]Examples[/bold]

        cityforge rules check
        cityforge rules check scenarios/construction/water_main
    """
    chosen = chosen_packs(invocation, packs)
    rows = []
    for pack, rules in load_all_rules(chosen):
        compiled = compile_rules(rules)
        rows.append({"pack": pack.header.id, "places": len(compiled.places), "inputs": len(compiled.bindings)})
    table = Table("pack", "places with rules", "inputs", title="Rules are right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    invocation.show(table)
    invocation.result({"packs": rows})


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
