"""A project from a CSV: a pack of one's own that trains, serves and warns.

Nothing is guessed in secret: the windows, the season and the starter rules stand in files, with a comment that says
where they come from, where they can be changed.
"""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts import DataError, format_utc

from .inspection import Findings, FoundSeries, describe_duration, split_unit

TEMPLATES = Path(__file__).parent / "templates" / "project"
DAY_S = 86_400
LONGEST_CONTEXT = 512
LONGEST_HORIZON = 48
TRAIN, VALIDATION, GATE = 0.6, 0.75, 0.9
"""Shares of the data at which the windows end; the rest is the report window, which chooses nothing."""
FEWEST_WINDOWS = 4
UNKNOWN_UNIT = "1"
"""Stands in signs.csv where the file names no unit: the unit of a pure number."""
QUIET_SHARE = (0.001, 0.999)


@dataclass(frozen=True, slots=True)
class PlannedSign:
    """One series as a sign of the project."""

    id: str
    title: str
    unit: str
    low: float
    high: float
    stuck_steps: int


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """All that is written into a project.

    Attributes:
        id: the pack's id.
        title: its name.
        timezone: local time of the data.
        interval_s: seconds between readings.
        season: steps of a day, or of a week for daily readings.
        context: steps that a model sees.
        horizon: steps that it forecasts.
        windows: ends of the four windows, preceded by the start of the first, as ISO 8601 times.
        signs: the series taken.
        left_out: series with another interval, by name.
    """

    id: str
    title: str
    timezone: str
    interval_s: int
    season: int
    context: int
    horizon: int
    windows: tuple[str, ...]
    signs: tuple[PlannedSign, ...]
    left_out: tuple[str, ...]


def plan_project(findings: Findings, name: str, timezone: str) -> ProjectPlan:
    """Decide what a project holds.

    Args:
        findings: what is in the file.
        name: name of the project.
        timezone: IANA name of the local time.

    Raises:
        DataError: if the data are too short for four windows.
    """
    interval_s = statistics.mode(series.interval_s for series in findings.series)
    taken = [series for series in findings.series if series.interval_s == interval_s]
    season = DAY_S // interval_s if interval_s < DAY_S else 7
    start_ms = min(series.times_ms[0] for series in taken)
    end_ms = max(series.times_ms[-1] for series in taken) + interval_s * 1000
    steps = (end_ms - start_ms) // (interval_s * 1000)
    horizon = max(1, min(season // 4, LONGEST_HORIZON))
    context = min(3 * season, LONGEST_CONTEXT, int(steps * TRAIN) // 4)
    shortest = int(steps * min(VALIDATION - TRAIN, GATE - VALIDATION, 1 - GATE))
    if context < horizon or shortest < FEWEST_WINDOWS + horizon:
        message = (
            f"{steps} steps of {describe_duration(interval_s)} are too few to fit, choose, judge and report on. "
            f"Give at least {int((FEWEST_WINDOWS + horizon) / (1 - GATE)) + 1}."
        )
        raise DataError(message)
    ends = [start_ms + int(steps * share) * interval_s * 1000 for share in (0, TRAIN, VALIDATION, GATE, 1)]
    slug = _slug(name)
    return ProjectPlan(
        id=f"own.{slug}",
        title=name,
        timezone=timezone,
        interval_s=interval_s,
        season=season,
        context=context,
        horizon=horizon,
        windows=tuple(format_utc(end) for end in ends),
        signs=tuple(_plan_signs(taken, slug, ends[1])),
        left_out=tuple(series.name for series in findings.series if series.interval_s != interval_s),
    )


def write_project(folder: Path, plan: ProjectPlan, findings: Findings) -> list[Path]:
    """Write the project and return its files.

    Raises:
        DataError: if the folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        message = f"The folder {str(folder)!r} is not empty. Name another with --to."
        raise DataError(message)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # noqa: S701
    )  # what is written is TOML, CSV and YAML; values are quoted there by the filters below
    environment.filters |= {"cell": _csv_cell, "quoted": _quoted}
    written = []
    for template in sorted(TEMPLATES.rglob("*.j2")):
        relative = template.relative_to(TEMPLATES)
        targets: list[tuple[PlannedSign | None, Path]] = [(None, relative.with_suffix(""))]
        if "SIGN" in relative.name:
            targets = [(sign, relative.with_name(relative.stem.replace("SIGN", sign.id))) for sign in plan.signs]
        for sign, target in targets:
            text = environment.get_template(relative.as_posix()).render(plan=plan, sign=sign, source=findings.path.name)
            written.append(_write(folder / target, text))
    written.append(_write(folder / "data" / "readings.csv", _readings(plan, findings)))
    return written


def _plan_signs(series: Sequence[FoundSeries], slug: str, train_end_ms: int) -> list[PlannedSign]:
    signs: list[PlannedSign] = []
    for one in series:
        title, _ = split_unit(one.name)
        identity = f"{slug}.{_slug(title)}"
        while identity in {sign.id for sign in signs}:
            identity += "x"
        past = sorted(v for t, v in zip(one.times_ms, one.values, strict=True) if t < train_end_ms)
        low, high = (past[round(share * (len(past) - 1))] for share in QUIET_SHARE) if past else (0.0, 0.0)
        stuck = 2 * _longest_run(one.values) + 1
        signs.append(PlannedSign(identity, title, one.unit or UNKNOWN_UNIT, low, high, stuck))
    return signs


def _longest_run(values: Sequence[float]) -> int:
    longest = run = 1
    for before, after in pairwise(values):
        run = run + 1 if after == before else 1
        longest = max(longest, run)
    return longest


def _readings(plan: ProjectPlan, findings: Findings) -> str:
    """Return the readings in the platform's own form; those off the grid are left out, as the findings say."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sign", "time", "value"])
    taken = [series for series in findings.series if series.name not in plan.left_out]
    for sign, series in zip(plan.signs, taken, strict=True):
        start_ms = series.times_ms[0]
        for time_ms, value in zip(series.times_ms, series.values, strict=True):
            if (time_ms - start_ms) % (plan.interval_s * 1000) == 0:
                writer.writerow([sign.id, format_utc(time_ms), repr(value)])
    return text.getvalue()


def _slug(name: str) -> str:
    """Return an id that URLs, files and TOML take; names without Latin letters keep their place by a number."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain[:48] or f"s{sum(ord(letter) for letter in name) % 10_000}"


def _csv_cell(value: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([value])
    return text.getvalue()


def _quoted(value: str) -> str:
    """Return a double-quoted string that TOML and YAML read alike."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter for letter in escaped if letter.isprintable()) + '"'


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
