"""``cityforge rules show``: one risk as a bow-tie, in the terminal or as a picture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box as boxes
from rich.align import Align
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from cityforge.invocation import Invocation
from cityforge.rules_picture import draw_bow_tie
from cityforge.settings import WarningLanguage
from contracts import DataError, Language, Level, Text
from knowledge_graph import BowTie, Box, bow_tie

from .rules import chosen_packs, load_all_rules

NARROW = 110
STYLES = {"cause": "blue", "inhibitor": "green", "evidence": "cyan", "risk": "bold", "law": "red", "action": "yellow"}
LEVEL_STYLES = {Level.BLUE: "blue", Level.YELLOW: "yellow", Level.ORANGE: "dark_orange", Level.RED: "red"}


def show(
    invocation: Invocation,
    risk: Annotated[str, typer.Argument(help="Id of the risk, or its last part.")],
    packs: Annotated[
        list[str] | None, typer.Option("--pack", help="Packs to look in; default those of the settings.")
    ] = None,
    *,
    picture: Annotated[
        Path | None, typer.Option("--picture", "-o", help="Draw it into this .svg or .png.", metavar="FILE")
    ] = None,
    language: Annotated[
        WarningLanguage | None, typer.Option(help="Language of titles; default that of the settings.")
    ] = None,
) -> None:
    """Show one risk as a bow-tie: causes and signs, barriers, the risk, levels and laws, what to do.

    [bold]Examples[/bold]

        cityforge rules show water_main.supply_loss --pack water_main
        cityforge rules show supply_loss --pack water_main --picture supply_loss.svg
    """
    spoken = language or invocation.settings.language
    chosen = None if spoken is WarningLanguage.BOTH else Language(spoken.value)
    tie = _find(invocation, risk, packs)
    if picture is not None:
        if picture.suffix not in {".svg", ".png"}:
            message = f"{str(picture)!r} is neither .svg nor .png. Name the picture with one of these endings."
            raise DataError(message)
        try:
            draw_bow_tie(picture, tie, chosen)
        except OSError as exc:
            message = f"{picture} cannot be written: {exc}. Give a place that can be written."
            raise DataError(message) from exc
        invocation.out.print(f"drawn: {picture}", soft_wrap=True)
    else:
        invocation.show(_as_text(tie, chosen, invocation.out.width))
    invocation.result({"risk": tie.risk.name, "picture": picture, "bow_tie": asdict(tie)})


def _find(invocation: Invocation, risk: str, packs: list[str] | None) -> BowTie:
    known: list[str] = []
    for _, ruleset in load_all_rules(chosen_packs(invocation, packs)):
        for rule in ruleset.rules:
            known.append(rule.id)
            if risk in {rule.id, rule.id.rpartition(".")[2]}:
                return bow_tie(ruleset, rule)
    message = f"No risk {risk!r} in these packs. Known: {', '.join(known)}."
    raise DataError(message)


def _as_text(tie: BowTie, language: Language | None, width: int) -> RenderableType:
    """Return the columns side by side, or one below the other where the terminal is narrow."""
    causes = Group(*(_panel(one, language) for one in (*tie.causes, *tie.evidence)))
    risk = Group(*(_panel(one, language) for one in (*tie.inhibitors, tie.risk)))
    levels = Group(*(_panel(one, language) for one in (*tie.laws, *tie.levels)))
    actions = Group(*(_panel(one, language) for one in tie.actions))
    if width < NARROW:
        return Group(causes, Align.center("▼"), risk, Align.center("▼"), levels, Align.center("▼"), actions)
    grid = Table.grid(padding=(0, 0), expand=True)
    for ratio in (10, 1, 8, 1, 6, 1, 10):
        grid.add_column(ratio=ratio, vertical="middle", justify="center" if ratio == 1 else "left")
    grid.add_row(causes, "▶", risk, "▶", levels, "▶", actions)
    return grid


def _panel(box: Box, language: Language | None) -> Panel:
    style = LEVEL_STYLES.get(box.level, "") if box.level is not None else STYLES[box.kind]
    details = [detail.in_language(language) for detail in box.details]
    if box.kind == "cause" and box.share:
        details.insert(0, f"→ {box.share:.0%}")
    sign = {"inhibitor": "┃ ", "law": "§ "}.get(box.kind, "")
    title = f"[bold]{sign}{escape(_say(box.title, language))}[/]"
    shape = boxes.HEAVY if box.kind == "risk" else boxes.ROUNDED
    return Panel("\n".join([title, *map(escape, details)]), border_style=style, box=shape)


def _say(text: Text, language: Language | None) -> str:
    if language is not None:
        return text.in_language(language)
    return text.zh if text.zh == text.en else f"{text.zh} / {text.en}"
