"""A bow-tie as SVG or PNG: causes, barriers and evidence on the left, the risk, then levels, laws and procedures.

The columns are fixed; matplotlib draws, with the Chinese font that plots use. Sizes are points.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts import Language, Level
from knowledge_graph import BowTie, Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL_COLOURS = {Level.BLUE: "#2f6fde", Level.YELLOW: "#e0b000", Level.ORANGE: "#ee7d11", Level.RED: "#d3222a"}
_INK, _SOFT, _PAPER, _NAVY = "#17324d", "#5b6b7b", "#ffffff", "#17324d"
_FILLS = {
    "cause": "#e8f0f8",
    "evidence": "#e9f5f1",
    "law": "#fdecec",
    "action": "#fbf5e6",
    "level": "#ffffff",
    "risk": _NAVY,
}
_EDGES = {"cause": "#7d9fc0", "evidence": "#6fb39b", "law": "#d3222a", "action": "#cdb271", "risk": _NAVY}
_BARRIER = "#2e8b57"
_WIDTHS = {"left": 292.0, "risk": 216.0, "right": 206.0, "action": 286.0}
_GAPS = (176.0, 84.0, 56.0)
_MARGIN, _BETWEEN, _PADDING, _HEADER = 30.0, 13.0, 9.0, 64.0
_TITLE_PT, _OTHER_PT, _DETAIL_PT = 11.5, 9.5, 8.8
_LEADING = 1.42
_MAXIMUM_BOXES = 40
_MANY_STEPS = 5
_BARRIER_STEP = 27.0


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size_pt: float
    colour: str


@dataclass(slots=True)
class _Placed:
    """A box with its lines and its place; y grows downward."""

    box: Box
    lines: list[_Line]
    width: float
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        return sum(line.size_pt * _LEADING for line in self.lines) + 2 * _PADDING

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw_bow_tie(path: Path, tie: BowTie, language: Language | None = None) -> Path:
    """Draw a bow-tie; the suffix of the path says whether as ``.svg`` or ``.png``.

    Args:
        path: where to write.
        tie: what to draw.
        language: one language, or None for both.
    """
    import matplotlib as mpl  # deferred: drawing alone needs it, and it costs a second
    from matplotlib.figure import Figure  # deferred: as above

    from training import use_chinese_font  # deferred: loads torch's room only when drawing

    use_chinese_font()
    columns = _columns(tie, language)
    height = _stack(columns, _BARRIER_STEP * len(tie.inhibitors))
    width = 2 * _MARGIN + sum(_WIDTHS.values()) + sum(_GAPS)
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "cityforge"}):
        figure = Figure(figsize=(width / 72, height / 72), facecolor=_PAPER)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.axis("off")
        _draw(axes, columns, tie, language)
        if path.suffix == ".svg":
            figure.savefig(path, metadata={"Date": None})
        else:
            figure.savefig(path, dpi=160)
    return path


def _columns(tie: BowTie, language: Language | None) -> dict[str, list[_Placed]]:
    def placed(boxes: Iterable[Box], column: str) -> list[_Placed]:
        listed = list(boxes)[:_MAXIMUM_BOXES]
        return [_Placed(box, _lines(box, language, _WIDTHS[column] - 2 * _PADDING), _WIDTHS[column]) for box in listed]

    return {
        "left": placed([*tie.causes, *tie.evidence], "left"),
        "risk": placed([tie.risk], "risk"),
        "right": placed([*tie.laws, *tie.levels], "right"),
        "action": placed(tie.actions, "action"),
    }


def _stack(columns: dict[str, list[_Placed]], headroom: float) -> float:
    """Give every box its place, each column centred below the headroom; return the height of the picture."""
    heights = {
        name: sum(placed.height for placed in boxes) + _BETWEEN * max(len(boxes) - 1, 0)
        for name, boxes in columns.items()
    }
    inner = max(*heights.values(), 220.0)
    x = _MARGIN
    for (name, boxes), gap in zip(columns.items(), (*_GAPS, 0.0), strict=True):
        y = _HEADER + _MARGIN + headroom + (inner - heights[name]) / 2
        for placed in boxes:
            placed.x, placed.y = x, y
            y += placed.height + _BETWEEN
        x += _WIDTHS[name] + gap
    return inner + headroom + _HEADER + 2 * _MARGIN + 16


def _lines(box: Box, language: Language | None, width: float) -> list[_Line]:
    is_dark = box.kind == "risk"
    ink, soft = (_PAPER, "#c9d6e3") if is_dark else (_INK, _SOFT)
    size = _TITLE_PT + (2.5 if is_dark else 0)
    told = (
        [box.title.in_language(language)] if language is not None else list(dict.fromkeys((box.title.zh, box.title.en)))
    )
    lines = [_Line(part, size, ink) for part in _wrap(told[0], size * 1.04, width)]
    lines += [_Line(part, _OTHER_PT, soft) for other in told[1:] for part in _wrap(other, _OTHER_PT, width)]
    spoken = Language.ZH if language is None and box.kind == "action" and len(box.details) > _MANY_STEPS else language
    for detail in box.details:
        colour = "#e3ebf3" if is_dark else soft
        lines += [_Line(part, _DETAIL_PT, colour) for part in _wrap(detail.in_language(spoken), _DETAIL_PT, width)]
    return lines


def _wrap(text: str, size_pt: float, width: float) -> list[str]:
    """Break a text where it is full: after a blank or a Chinese letter."""
    lines, line, used, last = [], "", 0.0, 0
    for letter in text:
        line += letter
        used += _advance(letter) * size_pt
        if letter == " " or unicodedata.east_asian_width(letter) in "WF":
            last = len(line)
        if used > width and len(line) > 1:
            cut = last if 0 < last < len(line) else len(line) - 1
            lines.append(line[:cut].rstrip())
            line, last = line[cut:].lstrip(), 0
            used = sum(_advance(kept) for kept in line) * size_pt
    return [*lines, line] if line else lines or [""]


def _advance(letter: str) -> float:
    """Return the width of a letter in units of its size."""
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return 0.3 if letter in " .,:;'il|!()" else 0.66 if letter.isupper() or letter in "mw%" else 0.56


def _draw(axes: Axes, columns: dict[str, list[_Placed]], tie: BowTie, language: Language | None) -> None:
    (risk,) = columns["risk"]
    _draw_header(axes, tie, language)
    _draw_left_links(axes, columns["left"], risk)
    _draw_right_links(axes, columns, risk)
    _draw_barriers(axes, columns["left"], tie, language)
    for boxes in columns.values():
        for placed in boxes:
            _draw_box(axes, placed)


def _draw_header(axes: Axes, tie: BowTie, language: Language | None) -> None:
    names = {
        "left": ("原因与征象", "causes and signs"),
        "risk": ("风险", "risk"),
        "right": ("级别与法定规则", "levels and laws"),
        "action": ("处置", "what to do"),
    }
    title = tie.risk.title.in_language(language) if language else str(tie.risk.title)
    axes.text(_MARGIN, 30, title, fontsize=15, color=_INK, va="center")
    right = axes.get_xlim()[1] - _MARGIN
    axes.text(right, 30, tie.risk.name, fontsize=10, color=_SOFT, ha="right", va="center")
    axes.plot([_MARGIN, right], [50, 50], color="#d9e0e7", lw=1)
    x = _MARGIN
    for (column, (zh, en)), gap in zip(names.items(), (*_GAPS, 0.0), strict=True):
        label = {Language.ZH: zh, Language.EN: en, None: f"{zh}  {en}"}[language]
        axes.text(x + _WIDTHS[column] / 2, 66, label, fontsize=9, color=_SOFT, ha="center", va="center")
        x += _WIDTHS[column] + gap


def _draw_box(axes: Axes, placed: _Placed) -> None:
    from matplotlib.patches import FancyBboxPatch  # deferred: as above

    kind, level = placed.box.kind, placed.box.level
    edge = LEVEL_COLOURS.get(level, _INK) if level is not None else _EDGES[kind]
    style = "round,pad=0,rounding_size=7"
    shape: dict[str, Any] = {"boxstyle": style, "facecolor": _FILLS[kind], "edgecolor": edge, "lw": 1.3, "zorder": 3}
    patch = FancyBboxPatch((placed.x, placed.y), placed.width, placed.height, **shape)
    axes.add_patch(patch)
    if level is not None:
        strip = FancyBboxPatch(
            (placed.x, placed.y), 9, placed.height, boxstyle="square,pad=0", facecolor=edge, lw=0, zorder=4
        )
        axes.add_patch(strip)
        strip.set_clip_path(patch)
    indent = _PADDING + (8 if level is not None else 0)
    y = placed.y + _PADDING
    for line in placed.lines:
        y += line.size_pt * _LEADING
        x, baseline = placed.x + indent, y - 0.36 * line.size_pt
        axes.text(x, baseline, line.text, fontsize=line.size_pt, color=line.colour, va="baseline", zorder=5)


def _draw_left_links(axes: Axes, left: Sequence[_Placed], risk: _Placed) -> None:
    ends = _spread(risk, len(left))
    for placed, end in zip(left, ends, strict=True):
        is_cause = placed.box.kind == "cause"
        colour = _EDGES[placed.box.kind]
        width = 1.2 + 3.2 * placed.box.share
        start = (placed.x + placed.width, placed.middle)
        _curve(axes, start, (risk.x, end), colour=colour, width=width, dashed=not is_cause)
        if is_cause and placed.box.share:
            _label(axes, start[0] + 8, placed.middle - 7, f"{placed.box.share:.0%}", colour)


def _draw_right_links(axes: Axes, columns: dict[str, list[_Placed]], risk: _Placed) -> None:
    levels = [placed for placed in columns["right"] if placed.box.kind == "level"]
    for placed, end in zip(levels, _spread(risk, len(levels)), strict=True):
        colour = LEVEL_COLOURS.get(placed.box.level or Level.RED, _INK)
        _curve(axes, (risk.x + risk.width, end), (placed.x, placed.middle), colour=colour, width=2.2)
    sources = {placed.box.law: placed for placed in columns["left"] if placed.box.law is not None}
    for placed in columns["right"]:
        if placed.box.kind == "law" and placed.box.name in sources:
            _over(axes, sources[placed.box.name], placed, risk)
    for placed in columns["right"]:
        for action in columns["action"]:
            start = (placed.x + placed.width, placed.middle)
            _curve(axes, start, (action.x, action.middle), colour="#cdb271", width=1.2)


def _over(axes: Axes, source: _Placed, law: _Placed, risk: _Placed) -> None:
    """Draw a law's way past the risk: it fires whatever is probable."""
    above = law.middle <= risk.middle
    edge = min(risk.y, law.y) - 20 if above else max(risk.y + risk.height, law.y + law.height) + 20
    start, end = (source.x + source.width, source.middle), (law.x, law.middle)
    _curve(axes, start, (risk.x, edge), colour=_EDGES["law"], width=1.6, arrow=False)
    axes.plot([risk.x, risk.x + risk.width], [edge, edge], color=_EDGES["law"], lw=1.6, zorder=2)
    _curve(axes, (risk.x + risk.width, edge), end, colour=_EDGES["law"], width=1.6)


def _draw_barriers(axes: Axes, left: Sequence[_Placed], tie: BowTie, language: Language | None) -> None:
    """Draw each inhibitor as a barrier across the ways of all causes."""
    causes = [placed for placed in left if placed.box.kind == "cause"]
    if not causes or not tie.inhibitors:
        return
    bottom = causes[-1].y + causes[-1].height - 4
    base = causes[0].x + causes[0].width + 56
    step = min(36.0, (_GAPS[0] - 90) / len(tie.inhibitors))
    for index, box in enumerate(tie.inhibitors):
        x, top = base + index * step, causes[0].y - _BARRIER_STEP * (len(tie.inhibitors) - index - 0.6)
        axes.plot([x, x], [top, bottom], color=_BARRIER, lw=5, solid_capstyle="round", zorder=4)
        parts = [box.title.in_language(language)] if language else list(dict.fromkeys((box.title.zh, box.title.en)))
        _label(axes, x + 7, top + 1, " ".join(parts), _BARRIER)
        _label(axes, x + 7, top + 13, box.details[0].in_language(language), _BARRIER)


def _spread(placed: _Placed, count: int) -> list[float]:
    """Return heights along a box's side, evenly."""
    return [placed.y + placed.height * (index + 1) / (count + 1) for index in range(count)]


def _curve(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    colour: str,
    width: float,
    dashed: bool = False,
    arrow: bool = True,
) -> None:
    from matplotlib.patches import PathPatch, Polygon  # deferred: as above
    from matplotlib.path import Path as Way  # deferred: as above

    bend = (end[0] - start[0]) * 0.5
    stop = end[0] - (6 + width if arrow else 0)
    way = Way(
        [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), (stop, end[1])], [Way.MOVETO, *[Way.CURVE4] * 3]
    )
    line = (0, (3, 2)) if dashed else "-"
    axes.add_patch(
        PathPatch(way, edgecolor=colour, facecolor="none", lw=width, linestyle=line, capstyle="butt", zorder=2)
    )
    if arrow:
        half = 2.2 + width * 0.75
        corners = [(stop - 1, end[1] - half), (end[0], end[1]), (stop - 1, end[1] + half)]
        axes.add_patch(Polygon(corners, closed=True, facecolor=colour, lw=0, zorder=2))


def _label(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.text(x, y, text, fontsize=9, color=colour, va="center", zorder=6)
