"""Thresholds per place: a CSV beside the rule file, with the columns place, sign and value."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from contracts import Problem

from .authoring import RuleWords
from .documents import MAXIMUM_BYTES

MAXIMUM_CSV_BYTES = 64 * MAXIMUM_BYTES
_COLUMNS = {"place", "sign", "value"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One row: at this place the entry's threshold is another."""

    where: str
    place: str
    name: str
    value: str


def read_thresholds(path: Path, words: RuleWords, problems: list[Problem]) -> list[Threshold]:
    """Read the CSV beside a rule file; no file means no differing thresholds."""
    if not path.exists():
        return []
    try:
        if path.stat().st_size > MAXIMUM_CSV_BYTES:
            problems.append(Problem(path.name, f"is larger than {MAXIMUM_CSV_BYTES} bytes.", "Split the rule."))
            return []
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(text.splitlines(), strict=True)
        records = [(reader.line_num, record) for record in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        problems.append(Problem(path.name, f"cannot be read: {exc}.", "Give a readable UTF-8 CSV file."))
        return []
    if set(reader.fieldnames or ()) != _COLUMNS:
        message = f"has the columns {list(reader.fieldnames or ())}."
        problems.append(Problem(f"{path.name}:1", message, "Name them place, sign and value."))
        return []
    rows: list[Threshold] = []
    seen: set[tuple[str, str]] = set()
    for line, record in records:
        row = Threshold(
            f"{path.name}:{line}", *(str(record[column] or "").strip() for column in ("place", "sign", "value"))
        )
        if row.name not in words.signs:
            message = f"{words.id!r} has no entry {row.name!r} under signs."
            problems.append(Problem(row.where, message, f"Known: {', '.join(words.signs)}."))
        elif (row.place, row.name) in seen:
            problems.append(Problem(row.where, f"{row.place} {row.name} stands twice.", "Keep one of the rows."))
        else:
            seen.add((row.place, row.name))
            rows.append(row)
    return rows
