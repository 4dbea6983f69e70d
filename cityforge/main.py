"""The ``cityforge`` command: which commands there are, each imported only when it is run.

The table below is all that ``cityforge --help`` needs, so it answers without numpy, mlflow or torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from . import __version__

PROGRAM = "cityforge"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command, or a group of them.

    Attributes:
        summary: one line for the list of commands.
        target: ``module:function`` that does it; empty for a group.
        commands: the commands of a group.
        panel: heading it stands under.
    """

    summary: str
    target: str = ""
    commands: Mapping[str, Entry] = field(default_factory=dict)
    panel: str = "Commands"


_START, _MODELS, _RUN, _KNOW = "Start", "Train and trust", "Run", "Know"

COMMANDS: dict[str, Entry] = {
    "demo": Entry("The main job, whole, on a real water main.", "cityforge.commands.demo:demo", panel=_START),
    "init": Entry(
        "Make a project from a pack or from a CSV of your own.", "cityforge.commands.init:init", panel=_START
    ),
    "doctor": Entry("Say what is wrong here, or why nothing fired.", "cityforge.commands.doctor:doctor", panel=_START),
    "version": Entry("Print the version.", "cityforge.commands.version:version", panel=_START),
    "train": Entry("Train, prove and register what recipes describe.", "cityforge.commands.train:train", panel=_MODELS),
    "tune": Entry("Search settings of a detector's fit.", "cityforge.commands.tune:tune", panel=_MODELS),
    "label": Entry("Pick the pictures worth labelling next.", "cityforge.commands.label:label", panel=_MODELS),
    "import": Entry(
        "Register a detector that was trained elsewhere.", "cityforge.commands.import_model:import_model", panel=_MODELS
    ),
    "models": Entry("List models, champions and covered signs.", "cityforge.commands.models:models", panel=_MODELS),
    "backtest": Entry(
        "Judge a recipe or a model from every origin of a window.",
        "cityforge.commands.backtest:backtest",
        panel=_MODELS,
    ),
    "show": Entry("Show one model: versions, gates, lineage, ledger.", "cityforge.commands.show:show", panel=_MODELS),
    "promote": Entry("Make a version the champion.", "cityforge.commands.promote:promote", panel=_MODELS),
    "rollback": Entry("Put the champion before back.", "cityforge.commands.rollback:rollback", panel=_MODELS),
    "reconcile": Entry(
        "Put MLflow's aliases back to what the ledger says.", "cityforge.commands.reconcile:reconcile", panel=_MODELS
    ),
    "assign": Entry("Say which champion forecasts which signs.", "cityforge.commands.assign:assign", panel=_MODELS),
    "forecast": Entry(
        "Forecast every sign, or a file of any size.", "cityforge.commands.forecast:forecast", panel=_RUN
    ),
    "ratios": Entry(
        "Learn what a detector's scores are worth as evidence.", "cityforge.commands.ratios:ratios", panel=_MODELS
    ),
    "trial": Entry("Try a challenger beside its champion.", "cityforge.commands.trial:trial", panel=_MODELS),
    "export-repository": Entry(
        "Write the champions as a Triton model repository.",
        "cityforge.commands.export_repository:export_repository",
        panel=_MODELS,
    ),
    "serve": Entry("Run the platform: serving and runtime.", "cityforge.commands.serve:serve", panel=_RUN),
    "replay": Entry("Post a pack's readings in event time.", "cityforge.commands.replay:replay", panel=_RUN),
    "bento": Entry(
        "Pack the champions for BentoML.",
        panel=_RUN,
        commands={"build": Entry("Pack the champions into a bento.", "cityforge.commands.bento:build")},
    ),
    "log": Entry(
        "Replay what models were asked.",
        panel=_MODELS,
        commands={
            "show": Entry("Show what was logged of which model.", "cityforge.commands.inference_log:show"),
            "replay": Entry("Ask another version what was asked before.", "cityforge.commands.inference_log:replay"),
        },
    ),
    "keys": Entry(
        "Make and list API keys.",
        panel=_RUN,
        commands={
            "new": Entry("Make a key, print it once, keep its hash.", "cityforge.commands.keys:create"),
            "list": Entry("List names and roles of the keys.", "cityforge.commands.keys:show"),
        },
    ),
    "signs": Entry(
        "Import and list signs.",
        panel=_KNOW,
        commands={
            "import": Entry("Import a catalogue of signs from CSV.", "cityforge.commands.signs:load"),
            "list": Entry("List the signs in the store.", "cityforge.commands.signs:show"),
        },
    ),
    "rules": Entry(
        "Write, check, test, compare and draw the veterans' rules.",
        panel=_KNOW,
        commands={
            "check": Entry("Check rules, every problem at once.", "cityforge.commands.rules:check"),
            "test": Entry("Run the tests that rules carry.", "cityforge.commands.rules:run_tests"),
            "backtest": Entry("Judge rules by the past.", "cityforge.commands.rules_backtest:backtest"),
            "audit": Entry("Draw quiet cases to look at.", "cityforge.commands.rules_audit:audit"),
            "learn": Entry("Propose numbers that verdicts speak for.", "cityforge.commands.rules_learn:learn"),
            "veterans": Entry("Score veterans by seed questions.", "cityforge.commands.rules_veterans:veterans"),
            "register": Entry(
                "Register rules as a version, judged by gates.", "cityforge.commands.rules_register:register"
            ),
            "fmt": Entry("Write rules in canonical form.", "cityforge.commands.rules_format:fmt"),
            "interview": Entry("Ask a veteran and write the rule.", "cityforge.commands.rules_interview:interview"),
            "show": Entry("Show one risk as a bow-tie.", "cityforge.commands.rules_show:show"),
            "diff": Entry("Say what changed, and on past cases.", "cityforge.commands.rules_diff:diff"),
            "export": Entry("Graph, spreadsheet or DMN table.", "cityforge.commands.rules_exchange:export"),
            "import": Entry("Take a spreadsheet or DMN table in.", "cityforge.commands.rules_exchange:import_file"),
            "schema": Entry("JSON Schema for editors.", "cityforge.commands.rules_format:schema"),
        },
    ),
}


class LazyCommand(TyperCommand):
    """A command of which only name and summary are known until it is run."""

    target: str

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Import the real command and let it take over."""
        return load_command(str(info_name), self.target).make_context(info_name, args, parent=parent, **extra)


class LazyGroup(TyperGroup):
    """A group whose commands stand in a table.

    Args:
        table: its commands; None for those of the class.
        attributes: of a typer group.
    """

    table: Mapping[str, Entry] = MappingProxyType({})

    def __init__(self, *, table: Mapping[str, Entry] | None = None, **attributes: Any) -> None:
        super().__init__(**attributes)
        chosen = self.table if table is None else table
        self.commands = {name: _stand_in(name, entry) for name, entry in chosen.items()}


def _stand_in(name: str, entry: Entry) -> Any:
    """Return a group, or a light command that becomes the real one when it is run."""
    if entry.commands:
        return LazyGroup(
            name=name, table=entry.commands, help=entry.summary, no_args_is_help=True, rich_help_panel=entry.panel
        )
    command = LazyCommand(name, help=entry.summary, rich_help_panel=entry.panel)
    command.target = entry.target
    return command


def load_command(name: str, target: str) -> Any:
    """Import ``module:function`` and return it as a command with the options that all commands share."""
    module_name, _, function_name = target.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except ModuleNotFoundError as exc:
        typer.echo(f"{PROGRAM} {name}: {importlib.import_module('cityforge.extras').missing_extra(exc)}", err=True)
        raise SystemExit(1) from exc
    invocation = importlib.import_module("cityforge.invocation")
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name)(invocation.with_shared_options(function))
    return typer.main.get_command(app)


class RootGroup(LazyGroup):
    """All commands of ``cityforge``."""

    table = COMMANDS


app = typer.Typer(cls=RootGroup, no_args_is_help=True, add_completion=True, rich_markup_mode="rich")


def _on_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback(help="An algorithm factory for city operations. Begin with [bold]cityforge demo[/bold].")
def describe(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_on_version)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code (see ``docs/cli.md``)."""
    app(args=None if arguments is None else list(arguments), prog_name=PROGRAM)
