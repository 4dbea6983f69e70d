"""``cityforge demo``."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text as Line

from cityforge.demo import DemoResult, demo_settings, describe_report_figures, next_steps, run_demo
from cityforge.demo_report import format_hours, format_time, log_odds
from cityforge.invocation import Invocation
from cityforge.settings import WarningLanguage
from contracts import Episode, Level, Procedure, Text

STYLES = {
    Level.GREY: "white on grey50",
    Level.BLUE: "white on blue",
    Level.YELLOW: "black on yellow",
    Level.ORANGE: "black on dark_orange",
    Level.RED: "bold white on red",
}
REASONS = 3


def demo(
    invocation: Invocation,
    *,
    language: Annotated[WarningLanguage | None, typer.Option(help="Language of the warnings.")] = None,
    vision: Annotated[bool, typer.Option("--vision", help="The vision line, on pictures that are drawn.")] = False,
) -> None:
    """Run the main job on the flow of a real water main: train, prove, promote, serve, replay, warn.

    Nothing has to be started and nothing is fetched. State lies in .cityforge/demo; run again, it reuses what is there.
    With --vision: draw street scenes, train a detector on them, let it watch a drawn camera, warn (about five minutes;
    needs the extras training and feeds).

    [bold]Examples[/bold]

        cityforge demo
        cityforge demo --language en --json
        cityforge demo --vision
    """
    if vision:
        chosen = language or invocation.settings.language
        importlib.import_module("cityforge.commands.demo_vision").run(invocation, chosen)
        return
    with demo_progress(invocation) as progress:
        task = progress.add_task("preparing", total=1.0)
        result = run_demo(
            demo_settings(invocation.settings),
            lambda doing, share: progress.update(task, description=doing, completed=share),
        )
    _show(invocation, result, language or invocation.settings.language)
    invocation.result(_as_data(result))


def demo_progress(invocation: Invocation) -> Progress:
    """Return a progress bar for a demo's stages; silent where nobody looks."""
    columns = (SpinnerColumn(), TextColumn("{task.description:<44}"), BarColumn(), TimeElapsedColumn())
    quiet = invocation.json_output or not invocation.log.is_terminal
    return Progress(*columns, console=invocation.log, disable=quiet, transient=True)


def _show(invocation: Invocation, result: DemoResult, language: WarningLanguage) -> None:
    manifest = result.champion.manifest
    invocation.show(_model_table(result))
    invocation.show(
        f"Champion: {manifest.name} version {manifest.version} ({manifest.metadata['family']}): "
        f"{result.champion.reason}."
    )
    invocation.show(describe_report_figures(result.report_figures))
    invocation.show(_warning_table(result.warnings, result, language))
    invocation.show(_blind_table(result, language))
    for episode in result.warnings:
        if episode.explanation is not None:
            invocation.show(explanation_panel(episode, language))
    invocation.show(f"图 picture: {result.picture}\n报告 report: {result.report}\n")
    invocation.show("[bold]接下来 What to try next[/bold]")
    for step in next_steps(result.report):
        invocation.show(f"  · {step}")


def _model_table(result: DemoResult) -> Table:
    table = Table(title="模型 Models, judged on 10–20 April", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("version", "gates", "MAE", "of naive", "coverage 90 %", "parity", "p95 ms", ""):
        table.add_column(name, justify="right" if name not in ("gates", "") else "left")
    for trained in result.trained:
        figures = trained.figures
        failed = [gate.name for gate in trained.gates if not gate.passed]
        table.add_row(
            str(trained.version),
            "[green]passed[/]" if trained.passed else f"[red]rejected: {', '.join(failed)}[/]",
            f"{figures['mae']:.3f}",
            f"{figures['mae_ratio']:.2f}",
            f"{figures['coverage_90']:.1%}",
            f"{figures['onnx_parity']:.0e}",
            f"{figures['latency_p95_ms']:.2f}",
            "reused" if trained.reused else "trained",
        )
    return table


def _warning_table(episodes: Sequence[Episode], result: DemoResult, language: WarningLanguage) -> Table:
    table = Table(title="预警 Warnings, 20 April – 16 May, UTC", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("级别 level", no_wrap=True)
    for name in ("开始 opened", "结束 closed"):
        table.add_column(name, no_wrap=True, min_width=11, max_width=12)
    table.add_column("风险 risk", overflow="fold")
    table.add_column("p", justify="right")
    table.add_column("地点 where", overflow="fold")
    for episode in episodes:
        table.add_row(
            level_mark(episode.peak_level),
            f"{episode.opened_at:%m-%d %H:%M}",
            f"{episode.closed_at:%m-%d %H:%M}" if episode.closed_at else "open",
            say_in(episode.title, language),
            f"{episode.explanation.posterior:.2f}" if episode.explanation else "",
            say_in(result.pack.places[episode.place].name, language),
        )
    return table


def _blind_table(result: DemoResult, language: WarningLanguage) -> Table:
    """Return the periods in which a source was silent, one line each."""
    title = "看不见的时段 Blind periods: silence is not normality"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("开始 from", "结束 until"):
        table.add_column(name, no_wrap=True)
    table.add_column("小时 h", justify="right", no_wrap=True)
    table.add_column("原因 why", overflow="fold")
    for episode in result.blind:
        table.add_row(
            f"{episode.opened_at:%m-%d %H:%M}",
            f"{episode.closed_at:%m-%d %H:%M}" if episode.closed_at else "open",
            format_hours(episode),
            say_in(episode.title, language),
        )
    return table


def explanation_panel(episode: Episode, language: WarningLanguage) -> Panel:
    """Return an episode's reasons, which sum up, and what to do."""
    explanation = episode.explanation
    if explanation is None:
        raise AssertionError
    table = Table.grid(padding=(0, 2))
    table.add_row("", f"{log_odds(explanation.prior):+.2f}", "先验 prior", f"p = {explanation.prior:.3f}")
    for part in explanation.contributions:
        table.add_row(
            "", f"{part.weight:+.2f}", say_in(part.reason, language), f"无此 without it\np = {part.without:.3f}"
        )
    table.add_row("=", f"{log_odds(explanation.posterior):+.2f}", "", f"[bold]p = {explanation.posterior:.3f}[/]")
    lines: list[RenderableType] = [table]
    if explanation.counterfactual is not None:
        lines.append(Line(say_in(explanation.counterfactual, language), style="dim"))
    if episode.procedure is not None:
        lines += ["", *_procedure(episode.procedure, language)]
    title = f"{format_time(episode.opened_at)} {say_in(episode.title, language)}"
    return Panel(Group(*lines), title=title, title_align="left", border_style="dim")


def _procedure(procedure: Procedure, language: WarningLanguage) -> list[RenderableType]:
    steps = Table.grid(padding=(0, 1))
    for number, step in enumerate(procedure.steps, start=1):
        steps.add_row(f"{number}.", say_in(step, language))
    lead = f"牵头 lead: {say_in(procedure.lead, language)}"
    return [Line(f"{procedure.id} {say_in(procedure.title, language)} · {lead}", style="bold"), steps]


def level_mark(level: Level) -> Line:
    """Return a level's name in its colour."""
    return Line(f" {level} ", style=STYLES[level])


def say_in(text: Text, language: WarningLanguage) -> str:
    """Return a text in the language of the warnings."""
    return {WarningLanguage.ZH: text.zh, WarningLanguage.EN: text.en}.get(language, str(text))


def _as_data(result: DemoResult) -> dict[str, Any]:
    return {
        "champion": {"name": result.champion.manifest.name, "version": result.champion.manifest.version},
        "trained": [
            {"version": one.version, "passed": one.passed, "reused": one.reused, "figures": dict(one.figures)}
            for one in result.trained
        ],
        "report_figures": result.report_figures,
        "replayed": result.replayed.as_dict(),
        "warnings": [episode.model_dump(mode="json") for episode in result.warnings],
        "blind": [episode.model_dump(mode="json", exclude={"history"}) for episode in result.blind],
        "incidents": [incident.model_dump(mode="json") for incident in result.incidents],
        "picture": result.picture,
        "report": result.report,
        "seconds": result.seconds,
    }
