"""Packs: one folder of data per scenario, from places and signs to recipes, rules and procedures.

    scenarios/<domain>/<pack>/
        pack.toml            title, domain, time zone, country, lead
        places.csv           id, name_zh, name_en, level, parent[, latitude, longitude]
        signs.csv            id, title_zh, title_en, place, unit, interval_s, source, domain, ...
        recipes/*.toml       what to train
        rules/*.yaml         the veterans' rules, one risk a file
        procedures.yaml      what to do and who leads

Only reading and checking; what recipes and rules mean is known by ``training`` and ``knowledge_graph``.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import ConfigurationError, Problem
from .places import IDENTIFIER, Place, PlaceTree
from .signs import Domain, Sign, SignCatalogue
from .text import Text

MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
_Row = TypeVar("_Row", bound=BaseModel)


class PackHeader(BaseModel):
    """What ``pack.toml`` says.

    Attributes:
        id: the pack's id, such as ``construction.water_main``.
        title: its name.
        domain: one of the four domains.
        timezone: IANA name of the local time.
        country: ISO 3166 code for public holidays.
        lead: the department that leads.
        source: the name of its data source, if it ships with one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=IDENTIFIER)
    title: Text
    domain: Domain
    timezone: str = "Asia/Shanghai"
    country: str | None = "CN"
    lead: Text
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack, read and checked.

    Attributes:
        folder: where it lies.
        header: ``pack.toml``.
        places: its place tree.
        signs: its signs.
        recipes: paths of its recipes, sorted.
        rules: the folder of its rules.
        procedures: the path of its procedures.
    """

    folder: Path
    header: PackHeader
    places: PlaceTree
    signs: SignCatalogue
    recipes: tuple[Path, ...]
    rules: Path
    procedures: Path


def load_pack(folder: Path) -> Pack:
    """Read a pack and check it whole.

    Raises:
        ConfigurationError: listing every problem of its header, places and signs with file and line.
    """
    problems: list[Problem] = []
    header = _read_header(folder / "pack.toml", problems)
    places = read_rows(folder / "places.csv", _place, problems)
    signs = read_rows(folder / "signs.csv", _sign, problems)
    tree = _collect(lambda: PlaceTree(places), problems)
    catalogue = _collect(lambda: SignCatalogue(signs), problems)
    if tree is not None:
        problems.extend(
            Problem(f"signs.csv: {sign.id}", f"its place {sign.place!r} is unknown.", "Add it to places.csv.")
            for sign in signs
            if sign.place not in tree
        )
    if problems or header is None or tree is None or catalogue is None:
        title = f"The pack {folder}"
        raise ConfigurationError(title, problems)
    recipes = tuple(sorted((folder / "recipes").glob("*.toml")))
    return Pack(folder, header, tree, catalogue, recipes, folder / "rules", folder / "procedures.yaml")


def read_signs(path: Path) -> list[Sign]:
    """Read a sign catalogue from one CSV.

    Raises:
        ConfigurationError: listing every row that is wrong, with its line.
    """
    problems: list[Problem] = []
    signs = read_rows(path, _sign, problems)
    _collect(lambda: SignCatalogue(signs), problems)
    if problems:
        title = f"The sign file {path}"
        raise ConfigurationError(title, problems)
    return signs


def read_places(path: Path) -> list[Place]:
    """Read places from one CSV; they need not make a whole tree, as those above them may be known already.

    Raises:
        ConfigurationError: listing every row that is wrong, with its line.
    """
    problems: list[Problem] = []
    places = read_rows(path, _place, problems)
    if problems:
        title = f"The place file {path}"
        raise ConfigurationError(title, problems)
    return places


def read_rows(path: Path, build: Callable[[dict[str, Any]], _Row], problems: list[Problem]) -> list[_Row]:
    """Read a CSV with a header row; append a problem for each row that ``build`` refuses."""
    rows: list[_Row] = []
    try:
        if path.stat().st_size > MAXIMUM_FILE_BYTES:
            problems.append(Problem(path.name, f"is larger than {MAXIMUM_FILE_BYTES} bytes.", "Split it."))
            return rows
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(Problem(path.name, f"cannot be read: {exc}.", "Give a readable UTF-8 CSV file."))
        return rows
    reader = csv.DictReader(text.splitlines())
    for record in reader:
        if None in record:
            where = f"{path.name}:{reader.line_num}"
            problems.append(Problem(where, "has more cells than the header.", "Quote cells that hold commas."))
            continue
        filled = {key: value.strip() for key, value in record.items() if value is not None and value.strip()}
        try:
            rows.append(build(filled))
        except ValidationError as exc:
            problems.extend(validation_problems(f"{path.name}:{reader.line_num}", exc))
    return rows


def validation_problems(where: str, exc: ValidationError) -> Iterator[Problem]:
    """Turn a pydantic error into problems, one for each field, with what was given."""
    for error in exc.errors(include_url=False):
        field = ".".join(str(part) for part in error["loc"]) or "whole"
        given = "" if error["type"] == "missing" else f", given {str(error['input'])[:80]!r}"
        yield Problem(where, f"{field}: {error['msg']}{given}.")


def _place(row: dict[str, Any]) -> Place:
    return Place.model_validate(_with_text(row, "name"))


def _sign(row: dict[str, Any]) -> Sign:
    return Sign.model_validate(_with_text(row, "title"))


def _with_text(row: dict[str, Any], field: str) -> dict[str, Any]:
    zh, en = row.pop(f"{field}_zh", None), row.pop(f"{field}_en", None)
    if zh or en:
        row[field] = {"zh": zh or en, "en": en or zh}
    return row


def _read_header(path: Path, problems: list[Problem]) -> PackHeader | None:
    try:
        return PackHeader.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as exc:
        problems.extend(validation_problems(path.name, exc))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        problems.append(Problem(path.name, f"cannot be read: {exc}.", "Give a readable TOML file."))
    return None


_Built = TypeVar("_Built")


def _collect(build: Callable[[], _Built], problems: list[Problem]) -> _Built | None:
    try:
        return build()
    except ConfigurationError as exc:
        problems.extend(exc.problems)
        return None
