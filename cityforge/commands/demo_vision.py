"""What ``cityforge demo --vision`` shows."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from cityforge.commands.demo import demo_progress, explanation_panel, level_mark, say_in
from cityforge.demo_vision import (
    VisionDemoResult,
    describe_drawn,
    next_steps,
    run_vision_demo,
    vision_settings,
)
from cityforge.invocation import Invocation
from cityforge.settings import WarningLanguage


def run(invocation: Invocation, language: WarningLanguage) -> None:
    """Run the vision demo and show what came of it."""
    invocation.note("[bold]画面由程序绘制，不是真实地点。These pictures are drawn: they show no real place.[/bold]")
    with demo_progress(invocation) as progress:
        task = progress.add_task("preparing", total=1.0)
        result = run_vision_demo(
            vision_settings(invocation.settings),
            lambda doing, share: progress.update(task, description=doing, completed=share),
        )
    invocation.show(_gates(result))
    invocation.show(describe_drawn(result.trained))
    invocation.show(_warnings(result, language))
    for episode in result.warnings:
        if episode.explanation is not None:
            invocation.show(explanation_panel(episode, language))
    invocation.show(f"图 picture: {result.picture}\n报告 report: {result.report}\n")
    invocation.show("[bold]接下来 What to try next[/bold]")
    for step in next_steps(result.report):
        invocation.show(f"  · {step}")
    invocation.result(_as_data(result))


def _gates(result: VisionDemoResult) -> Table:
    reused = "reused" if result.trained.reused else "trained"
    title = f"检测器 Detector {result.trained.name} version {result.trained.version}, {reused}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("gate", "value", "limit", ""):
        table.add_column(name, justify="right" if name in ("value", "limit") else "left")
    for gate in result.trained.gates:
        value, limit = ("" if figure is None else f"{figure:.3g}" for figure in (gate.value, gate.limit))
        table.add_row(gate.name, value, limit, "[green]passed[/]" if gate.passed else "[red]failed[/]")
    return table


def _warnings(result: VisionDemoResult, language: WarningLanguage) -> Table:
    table = Table(title="预警 Warnings, UTC", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("级别 level", "开始 opened", "结束 closed", "风险 risk", "p", "地点 where"):
        table.add_column(name, overflow="fold", no_wrap=name in ("级别 level", "开始 opened", "结束 closed"))
    for episode in result.episodes:
        table.add_row(
            level_mark(episode.peak_level),
            f"{episode.opened_at:%H:%M}",
            f"{episode.closed_at:%H:%M}" if episode.closed_at else "open",
            say_in(episode.title, language),
            f"{episode.explanation.posterior:.2f}" if episode.explanation else "",
            say_in(result.pack.places[episode.place].name, language),
        )
    return table


def _as_data(result: VisionDemoResult) -> dict[str, Any]:
    return {
        "drawn": True,
        "champion": {"name": result.champion.manifest.name, "version": result.champion.manifest.version},
        "trained": {
            "version": result.trained.version,
            "passed": result.trained.passed,
            "reused": result.trained.reused,
            "figures": dict(result.trained.figures),
        },
        "frames": result.frames,
        "readings": result.readings,
        "warnings": [episode.model_dump(mode="json") for episode in result.warnings],
        "picture": result.picture,
        "report": result.report,
        "seconds": result.seconds,
    }
