"""Readings from a CSV in the platform's own form: sign, time, value and, where known, quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contracts import ConfigurationError, Problem, Reading, read_rows

MAXIMUM_PROBLEMS = 50


def read_readings(path: Path) -> list[Reading]:
    """Read readings from CSV: an empty value is a reading that says "no value".

    Raises:
        ConfigurationError: listing the rows that are wrong, with their lines.
    """
    problems: list[Problem] = []
    readings = read_rows(path, _reading, problems)
    if problems:
        more = len(problems) - MAXIMUM_PROBLEMS
        if more > 0:
            problems = [*problems[:MAXIMUM_PROBLEMS], Problem(path.name, f"and {more} more.")]
        title = f"The readings {path}"
        raise ConfigurationError(title, problems)
    return readings


def _reading(row: dict[str, Any]) -> Reading:
    return Reading.model_validate({"value": None, **row})
