"""Past cases, asked of two rule sets: which of them would have been warned of differently?"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts import ConfigurationError, KnowledgeError, Level, Problem, Text

from .compiled import CompiledRules
from .documents import parse_document
from .ruleset import Rule
from .trials import DURATIONS, play

MAXIMUM_CASES = 100_000
_MAXIMUM_BYTES = 64 * 1024 * 1024
_COLUMNS = {"id", "risk", "place"}


@dataclass(frozen=True, slots=True)
class PastCase:
    """One case that happened, in the words of a rule's tests.

    Attributes:
        id: what people call it.
        given: entry → value, series or truth, as a test gives it.
        risk: the rule it is about; None for every rule that knows one of its entries.
        place: where; None for each rule's first place.
    """

    id: str
    given: Mapping[str, Any]
    risk: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One case of one rule whose level differs."""

    case: str
    risk: str
    before: Level | None
    after: Level | None


@dataclass(frozen=True, slots=True)
class CaseReport:
    """Past cases under two rule sets.

    Attributes:
        cases: how many were asked.
        changes: those whose level differs.
        unusable: cases that could not be asked, with the reason.
    """

    cases: int
    changes: tuple[CaseChange, ...]
    unusable: tuple[Problem, ...]

    @property
    def changed(self) -> int:
        """How many cases change level."""
        return len({change.case for change in self.changes})

    @property
    def text(self) -> Text:
        """The outcome in one sentence."""
        return Text(
            zh=f"{self.cases} 个历史案例中有 {self.changed} 个改变级别",
            en=f"{self.changed} of {self.cases} past cases change level",
        )

    def transitions(self) -> dict[tuple[Level | None, Level | None], int]:
        """Return (level before, level after) → how many, the most frequent first."""
        return dict(Counter((change.before, change.after) for change in self.changes).most_common())


def compare_cases(old: CompiledRules, new: CompiledRules, cases: Sequence[PastCase]) -> CaseReport:
    """Ask both rule sets about each case. What a rule set does not know of a case is left out there."""
    changes: list[CaseChange] = []
    unusable: list[Problem] = []
    for case in cases:
        risks = sorted(_risks(old, case) | _risks(new, case))
        if not risks:
            known = "no rule of either set knows its entries."
            unusable.append(Problem(case.id, known, "Name the rule under 'risk' and its entries under 'given'."))
        for risk in risks:
            try:
                before, after = (_level(rules, risk, case) for rules in (old, new))
            except (KnowledgeError, ValueError, TypeError) as exc:
                unusable.append(Problem(case.id, f"{risk}: {exc}", "Correct the case or leave it out."))
                continue
            if before != after:
                changes.append(CaseChange(case.id, risk, before, after))
    return CaseReport(len({case.id for case in cases}), tuple(changes), tuple(unusable))


def _risks(rules: CompiledRules, case: PastCase) -> set[str]:
    evaluated = [template.rule for template in rules.templates.values()]
    if case.risk is not None:
        return {rule.id for rule in evaluated if rule.id == case.risk}
    return {
        rule.id
        for rule in evaluated
        if (case.place is None or case.place in rule.places) and any(name in _entries(rule) for name in case.given)
    }


def _entries(rule: Rule) -> set[str]:
    words = rule.words
    return {words.risk, *words.signs, *words.causes, *words.inhibits}


def _level(rules: CompiledRules, risk: str, case: PastCase) -> Level | None:
    """Return the gravest level that a rule reaches in a case; None for none, or where there is no such rule."""
    template = rules.templates.get(risk)
    if template is None or (case.place is not None and case.place not in template.rule.places):
        return None
    known = {*_entries(template.rule), *DURATIONS, "at"}
    given = {name: value for name, value in case.given.items() if name in known}
    _, assessments = play(rules, template.rule, given, case.place)
    reached = [found.level for found in assessments if found.level is not None]
    return max(reached, key=lambda level: level.rank, default=None)


def read_cases(name: str, content: bytes) -> list[PastCase]:
    """Read past cases from CSV or JSON.

    A CSV has a row a case: ``id``, optionally ``risk`` and ``place``, and a column for each entry; an empty cell is a
    missing value, ``[1, 2, null]`` a series. JSON is a list of objects with ``id``, ``risk``, ``place``, ``given``.

    Raises:
        ConfigurationError: listing every row that cannot be read.
    """
    problems: list[Problem] = []
    cases: list[PastCase] = []
    try:
        if len(content) > _MAXIMUM_BYTES:
            problems.append(Problem(name, f"has {len(content)} bytes, more than {_MAXIMUM_BYTES}.", "Split it."))
        else:
            text = content.decode("utf-8-sig")
            read = _from_json if name.endswith(".json") else _from_csv
            cases = list(read(name, text, problems))
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error, RecursionError) as exc:
        problems.append(Problem(name, f"cannot be read: {exc}.", "Give a UTF-8 file that ends with .csv or .json."))
    if len(cases) > MAXIMUM_CASES:
        problems.append(Problem(name, f"holds {len(cases)} cases.", f"Keep to {MAXIMUM_CASES}."))
    if problems:
        title = f"The past cases {name}"
        raise ConfigurationError(title, problems)
    return cases


def _from_json(name: str, text: str, problems: list[Problem]) -> Iterator[PastCase]:
    listed = json.loads(text)
    if not isinstance(listed, list):
        problems.append(Problem(name, "is no list.", "Write [{id: ..., given: {...}}, ...]."))
        return
    for index, item in enumerate(listed):
        where = f"{name}[{index}]"
        if not isinstance(item, dict) or not isinstance(item.get("given"), dict):
            problems.append(Problem(where, "has no 'given'.", "Give an object with 'id' and 'given'."))
            continue
        yield PastCase(str(item.get("id", index + 1)), item["given"], _word(item, "risk"), _word(item, "place"))


def _from_csv(name: str, text: str, problems: list[Problem]) -> Iterator[PastCase]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if not set(reader.fieldnames or ()) - _COLUMNS:
        problems.append(
            Problem(f"{name}:1", "names no entry.", "Give a column for each entry, beside id, risk, place.")
        )
        return
    for row in reader:
        where = f"{name}:{reader.line_num}"
        if None in row:
            problems.append(Problem(where, "has more cells than the header.", "Quote cells that hold commas."))
            continue
        given = {
            key: _cell(where, cell, problems)
            for key, cell in row.items()
            if key not in _COLUMNS and cell is not None and cell.strip()
        }
        yield PastCase(row.get("id") or f"line {reader.line_num}", given, _word(row, "risk"), _word(row, "place"))


def _cell(where: str, cell: str, problems: list[Problem]) -> Any:
    document = parse_document(where, cell, problems)
    value = None if document is None else document.data
    if isinstance(value, str | dict):
        problems.append(Problem(where, f"{cell!r} is no value.", "Write a number, true, false or [1, 2, null]."))
    return value


def _word(item: Mapping[str, Any], key: str) -> str | None:
    return str(item[key]) if item.get(key) else None
