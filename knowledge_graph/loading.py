"""Reads a folder of rule files and procedures; every problem is collected before anything fails."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts import ConfigurationError, PlaceTree, Problem, Procedure, SignCatalogue

from .authoring import RuleWords, Status, StepsWords
from .checks import advise, verify
from .documents import Document, Location, parse_document, read_document
from .plausibility import advise_claims, build_within_budget, verify_claims
from .resolving import Surroundings, resolve_rule
from .ruleset import Rule, RuleSet
from .thresholds import read_thresholds

MAXIMUM_FILES = 2000
MAXIMUM_FOLDER_BYTES = 2 * 1024 * 1024
"""Of all rule files together: a risk needs three KiB, and the slowest text takes eleven seconds a MiB to refuse."""
_Words = TypeVar("_Words", bound=BaseModel)
_UNION_PARTS = {"str", "float", "int", "bool"}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of a folder found.

    Attributes:
        ruleset: the rules, or None if there are problems.
        problems: what must be mended.
        advice: what should be mended before a rule becomes active.
    """

    ruleset: RuleSet | None
    problems: tuple[Problem, ...]
    advice: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Whether the rules can be used."""
        return not self.problems


def load_procedures(path: Path) -> dict[str, Procedure]:
    """Read ``procedures.yaml``: id → title, lead and steps, in both languages.

    Raises:
        ConfigurationError: listing every problem with file, line and remedy.
    """
    problems: list[Problem] = []
    procedures: dict[str, Procedure] = {}
    document = read_document(path, problems)
    if document is not None and not isinstance(document.data, dict):
        problems.append(Problem(document.where(()), "is no mapping.", "Begin each procedure with its id and a colon."))
    elif document is not None:
        for name in document.data:
            words = _validate(StepsWords, document, (name,), problems)
            if words is not None:
                procedures[name] = Procedure(id=name, title=words.title, steps=words.steps, lead=words.lead)
    if problems:
        title = f"The procedures {path}"
        raise ConfigurationError(title, problems)
    return procedures


def load_rules(
    folder: Path,
    signs: SignCatalogue,
    places: PlaceTree,
    procedures: Mapping[str, Procedure],
    *,
    timezone: str = "Asia/Shanghai",
) -> RuleSet:
    """Read every ``*.yaml`` of a folder, one risk a file, with a CSV of the same stem for thresholds per place.

    Args:
        folder: where the rule files lie.
        signs: the signs that rules may refer to.
        places: the places that rules may apply to.
        procedures: what to do, by id.
        timezone: IANA name of the local time of nights, hours and seasons.

    Raises:
        ConfigurationError: listing every problem of every file with its line and a remedy.
    """
    report = check(folder, signs, places, procedures, timezone=timezone)
    if report.ruleset is None:
        title = f"The rule folder {folder}"
        raise ConfigurationError(title, report.problems)
    return report.ruleset


def check(
    folder: Path,
    signs: SignCatalogue,
    places: PlaceTree,
    procedures: Mapping[str, Procedure],
    *,
    timezone: str = "Asia/Shanghai",
    today: date | None = None,
) -> CheckReport:
    """Check a folder of rules whole; nothing is raised for what its files say.

    Args:
        folder: where the rule files lie.
        signs: the signs that rules may refer to.
        places: the places that rules may apply to.
        procedures: what to do, by id.
        timezone: IANA name of the local time.
        today: gives advice on rules that have ended or soon will; None for none.
    """
    problems: list[Problem] = []
    advice: list[Problem] = []
    surroundings = Surroundings(signs, places, procedures, today)
    rules: list[Rule] = []
    for path in _rule_files(folder, problems):
        rule = _load_rule(path, surroundings, problems, advice)
        if rule is not None:
            _refuse_twice(rule, rules, problems)
            rules.append(rule)
    ruleset = None
    if not problems:
        kept = tuple(sorted(rules, key=lambda rule: rule.id))
        ruleset = RuleSet(kept, signs, places, dict(procedures), timezone)
    return CheckReport(ruleset, tuple(problems), tuple(advice))


def _rule_files(folder: Path, problems: list[Problem]) -> list[Path]:
    if not folder.is_dir():
        problems.append(Problem(str(folder), "is no folder.", "Give the folder that holds the rule files."))
        return []
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
    if not paths:
        problems.append(Problem(folder.name, "holds no *.yaml.", "Write one, or let the interview write it."))
    total = sum(path.stat().st_size for path in paths if path.is_file())
    if total > MAXIMUM_FOLDER_BYTES:
        message = f"holds {total} bytes of rules, more than {MAXIMUM_FOLDER_BYTES}."
        problems.append(Problem(folder.name, message, "Split the pack."))
        return []
    if len(paths) > MAXIMUM_FILES:
        problems.append(Problem(folder.name, f"holds {len(paths)} rule files.", f"Keep to {MAXIMUM_FILES}."))
        return []
    return paths


def check_text(
    name: str,
    text: str,
    signs: SignCatalogue,
    places: PlaceTree,
    procedures: Mapping[str, Procedure],
    *,
    timezone: str = "Asia/Shanghai",
) -> CheckReport:
    """Check one rule that stands in no file yet; nothing is raised for what it says."""
    problems: list[Problem] = []
    advice: list[Problem] = []
    document = parse_document(name, text, problems)
    rule = (
        None
        if document is None
        else _read_rule(document, None, Surroundings(signs, places, procedures), problems, advice)
    )
    ruleset = RuleSet((rule,), signs, places, dict(procedures), timezone) if rule is not None and not problems else None
    return CheckReport(ruleset, tuple(problems), tuple(advice))


def _load_rule(path: Path, surroundings: Surroundings, problems: list[Problem], advice: list[Problem]) -> Rule | None:
    document = read_document(path, problems)
    return None if document is None else _read_rule(document, path, surroundings, problems, advice)


def _read_rule(
    document: Document, path: Path | None, surroundings: Surroundings, problems: list[Problem], advice: list[Problem]
) -> Rule | None:
    if not isinstance(document.data, dict):
        problems.append(Problem(document.where(()), "is no mapping.", "Begin with 'id: ' and the id of the risk."))
        return None
    words = _validate(RuleWords, document, (), problems)
    if words is None:
        return None
    thresholds = [] if path is None else read_thresholds(path.with_suffix(".csv"), words, problems)
    before = len(problems)
    rule = resolve_rule(words, document, surroundings, thresholds, problems)
    if rule is not None:
        problems.extend(verify(rule, document))
    if rule is None or len(problems) > before:
        return None
    problems.extend(verify_claims(rule, document, surroundings.signs))
    template = build_within_budget(rule, document, problems)
    if template is not None:
        advice.extend(advise_claims(template, document, surroundings.today))
    findings = list(advise(rule, document))
    (problems if words.status is Status.ACTIVE else advice).extend(findings)
    return rule


def _refuse_twice(rule: Rule, rules: list[Rule], problems: list[Problem]) -> None:
    for other in rules:
        if other.id == rule.id:
            message = f"the id {rule.id!r} also stands in {other.file}."
            problems.append(Problem(f"{rule.file}:1", message, "Give each risk an id of its own."))


def _validate(model: type[_Words], document: Document, location: Location, problems: list[Problem]) -> _Words | None:
    data = document.data
    for part in location:
        data = data[part]
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        problems.extend(_explain(exc, model, document, location))
        return None


def _explain(exc: ValidationError, model: type[BaseModel], document: Document, location: Location) -> Iterator[Problem]:
    seen: set[tuple[Location, str]] = set()
    for error in exc.errors(include_url=False):
        parts = tuple(part for part in error["loc"] if part not in _UNION_PARTS and part != "[key]")
        where = (*location, *parts)
        key = ".".join(str(part) for part in parts) or "the whole"
        kind = str(error["type"])
        if (where, kind[:6]) in seen:
            continue
        seen.add((where, kind[:6]))
        given = "" if kind in {"missing", "extra_forbidden"} else f", given {_shorten(error['input'])}"
        message = f"{key}: {str(error['msg']).removeprefix('Value error, ')}{given}."
        remedy = _remedy(kind, parts, model, document, location)
        if kind == "extra_forbidden" and error["input"] is None and " " in str(parts[-1]):
            remedy = "A comma ends a text inside braces: put the whole text into quotes."
        yield Problem(document.where(where), message, remedy)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a short quotation


def _remedy(kind: str, parts: Location, model: type[BaseModel], document: Document, location: Location) -> str:
    if kind == "missing":
        return f"Add '{parts[-1]}:' there."
    if kind == "extra_forbidden":
        known = _known_keys(model, parts[:-1])
        close = difflib.get_close_matches(str(parts[-1]), known, n=1)
        return f"Did you mean {close[0]!r}?" if close else f"Remove it; known here: {', '.join(known)}."
    if "type" in kind or "parsing" in kind:
        return f"Write it as docs/knowledge.md shows for {'.'.join(str(part) for part in parts) or document.name!r}."
    return f"Correct it at {document.where((*location, *parts))}."


def _known_keys(model: type[BaseModel], parts: Location) -> list[str]:
    """Return the keys that the model at a location takes, as files write them."""
    current: Any = model
    for part in parts:
        if isinstance(part, int) or not (isinstance(current, type) and issubclass(current, BaseModel)):
            continue
        names = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
        if part in names:
            current = _inner_model(names[str(part)]) or current
    return sorted(field.alias or name for name, field in current.model_fields.items())


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _inner_model(inner)
        if found is not None:
            return found
    return None
