"""The demo's HTML report: one file that needs nothing else, in Chinese and English."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts import Episode, Layer, PlaceTree

TEMPLATES = Path(__file__).parent / "templates"
PROBABILITY_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One version in the report's table of models."""

    version: int
    family: str
    status: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What the report shows.

    Attributes:
        title: its heading.
        period: event time that was replayed.
        source: where the readings come from.
        picture: path of the PNG, which is embedded.
        episodes: what was warned, gravest first.
        models: the versions that were trained.
        report_note: figures of the report window, in one sentence.
        next_steps: what to try next.
    """

    title: str
    period: str
    source: str
    picture: Path
    episodes: Sequence[Episode]
    models: Sequence[ModelRow]
    report_note: str
    next_steps: Sequence[str]


def write_report(path: Path, report: Report, places: PlaceTree) -> Path:
    """Write the report and return its path."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    template = environment.get_template("report.html.j2")
    names = [name for row in report.models for name in row.figures]
    functions: dict[str, Callable[..., str | float]] = {
        "place_path": lambda place: place_path(places, place),
        "time": format_time,
        "log_odds": log_odds,
        "hours": format_hours,
    }
    html = template.render(
        title=report.title,
        period=report.period,
        source=report.source,
        picture=base64.b64encode(report.picture.read_bytes()).decode(),
        warnings=[episode for episode in report.episodes if episode.layer is not Layer.HEALTH],
        blind=[episode for episode in report.episodes if episode.layer is Layer.HEALTH],
        models=report.models,
        figure_names=list(dict.fromkeys(names)),
        report_note=report.report_note,
        next_steps=report.next_steps,
        **functions,
    )
    path.write_text(html, encoding="utf-8")
    return path


def place_path(places: PlaceTree, place_id: str) -> str:
    """Return the names from the city down to a place."""
    return " › ".join(place.name.zh for place in places.path(place_id))


def format_time(time: datetime) -> str:
    """Return a time as people read it, in UTC."""
    return f"{time:%Y-%m-%d %H:%M}"


def format_hours(episode: Episode) -> str:
    """Return how long an episode lasted, in hours; nothing while it is open."""
    if episode.closed_at is None:
        return ""
    return f"{(episode.closed_at - episode.opened_at).total_seconds() / 3600:.0f}"


def log_odds(probability: float) -> float:
    """Return natural log-odds; certainty is cut off where floats end."""
    clipped = min(max(probability, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR)
    return math.log(clipped / (1 - clipped))
