"""``cityforge rules fmt`` and ``cityforge rules schema``: how rule files are written, and what editors know of them."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cityforge.invocation import Invocation, RefusedError
from cityforge.packs import find_pack
from cityforge.rule_files import SUFFIXES, read_text, rule_files, write_text
from contracts import ConfigurationError, DataError, Problem
from knowledge_graph import (
    PROCEDURE_SCHEMA,
    RULE_SCHEMA,
    format_document,
    procedure_schema,
    rule_schema,
    schema_text,
    with_modeline,
)

FilesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Packs, folders or rule files; default the packs of the settings.", show_default=False),
]


class SchemaKind(StrEnum):
    """Which files a schema describes."""

    RULE = "rule"
    PROCEDURES = "procedures"


def fmt(
    invocation: Invocation,
    files: FilesArgument = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 3 if a file is not in canonical form.")
    ] = False,
) -> None:
    """Write rule files and procedures in canonical form; comments stay.

    [bold]Examples[/bold]

        cityforge rules fmt water_main
        cityforge rules fmt --check rules/
    """
    names = files or list(invocation.settings.pack_names())
    if not names:
        title = "cityforge rules fmt"
        raise ConfigurationError(title, [Problem("files", "nothing is named.", "Name a pack, a folder or a file.")])
    problems: list[Problem] = []
    changed: dict[Path, str] = {}
    paths = rule_files(names, base=invocation.settings.folder)
    for path in paths:
        text = read_text(path)
        formatted = format_document(str(path), text, problems)
        if formatted is not None and formatted != text:
            changed[path] = formatted
    if problems:
        title = "Formatting"
        raise ConfigurationError(title, problems)
    if not check:
        for path, formatted in changed.items():
            write_text(path, formatted)
    for path in changed:
        invocation.out.print(f"{'would change' if check else 'changed'} {path}", soft_wrap=True)
    invocation.show(f"{len(paths) - len(changed)} of {len(paths)} files were in canonical form.")
    invocation.result({"files": len(paths), "changed": [str(path) for path in changed], "written": not check})
    if check and changed:
        message = f"{len(changed)} of {len(paths)} files are not in canonical form. Run `cityforge rules fmt` on them."
        raise RefusedError(message)


def schema(
    invocation: Invocation,
    kind: Annotated[SchemaKind, typer.Argument(help="Which files it describes.")] = SchemaKind.RULE,
    *,
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            help="Pack to put both schemas into; its files get the line that editors look for.",
            metavar="PACK",
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of rule files or procedures, or set up a pack so that editors complete and check.

    [bold]Examples[/bold]

        cityforge rules schema > rule.schema.json
        cityforge rules schema --into my-pack
    """
    if into is None:
        content = rule_schema() if kind is SchemaKind.RULE else procedure_schema()
        if invocation.json_output:
            invocation.result(content)
        else:
            typer.echo(schema_text(content), nl=False)
        return
    written = _set_up(find_pack(into, base=invocation.settings.folder))
    for path in written:
        invocation.out.print(f"wrote {path}", soft_wrap=True)
    invocation.result({"written": [str(path) for path in written]})


def _set_up(pack: Path) -> list[Path]:
    """Write both schemas under ``.schema`` and name them in the first line of each file that they describe."""
    folder = pack / ".schema"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as exc:
        message = f"The folder {str(folder)!r} cannot be made: {exc}. Copy the pack with `cityforge init --pack` first."
        raise DataError(message) from exc
    written = [folder / RULE_SCHEMA, folder / PROCEDURE_SCHEMA]
    for path, content in zip(written, (rule_schema(), procedure_schema()), strict=True):
        write_text(path, schema_text(content))
    described = [(path, written[0]) for path in sorted((pack / "rules").glob("*")) if path.suffix in SUFFIXES]
    procedures = pack / "procedures.yaml"
    for path, described_by in [*described, *([(procedures, written[1])] if procedures.is_file() else [])]:
        text = read_text(path)
        hinted = with_modeline(text, Path(os.path.relpath(described_by, path.parent)).as_posix())
        if hinted != text:
            write_text(path, hinted)
            written.append(path)
    return written
