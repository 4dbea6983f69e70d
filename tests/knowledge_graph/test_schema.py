"""The published JSON Schema: in step with the classes, explaining every key, and true of the rules there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from knowledge_graph import (
    PROCEDURE_SCHEMA,
    RULE_SCHEMA,
    SCHEMA_FOLDER,
    procedure_schema,
    rule_schema,
    schema_text,
    with_modeline,
)
from knowledge_graph.documents import parse_document

from .examples import UNDERPASS
from .test_formatting import PACK_FILES


def read(text: str) -> Any:
    document = parse_document("rule.yaml", text, [])
    assert document is not None
    return document.data


@pytest.mark.parametrize(("name", "made"), [(RULE_SCHEMA, rule_schema), (PROCEDURE_SCHEMA, procedure_schema)])
def test_the_published_files_are_in_step(name: str, made: Any) -> None:
    published = (SCHEMA_FOLDER / name).read_text(encoding="utf-8")
    assert published == schema_text(made()), f"run `cityforge rules schema` and write it to {name}"
    Draft202012Validator.check_schema(json.loads(published))


def test_every_key_is_explained() -> None:
    schema = rule_schema()
    parts = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    silent = [name for part in parts for name, shown in part["properties"].items() if "description" not in shown]
    assert [name for name in silent if name not in {"zh", "en", "cost", "loss"}] == []


@pytest.mark.parametrize("path", PACK_FILES, ids=lambda path: "/".join(path.parts[-3:]))
def test_the_rules_there_are_fit_the_schema(path: Path) -> None:
    schema = procedure_schema() if path.name == "procedures.yaml" else rule_schema()
    assert list(Draft202012Validator(schema).iter_errors(read(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("old", "new"), [("causes:", "cuases:"), ("cost: 1", "cost: low"), ("  rain:  ", "  7rain: "), ("trial", "live")]
)
def test_an_editor_marks_what_the_check_refuses(old: str, new: str) -> None:
    validator = Draft202012Validator(rule_schema())
    assert validator.is_valid(read(UNDERPASS))
    assert not validator.is_valid(read(UNDERPASS.replace(old, new)))


def test_the_modeline_is_written_once() -> None:
    once = with_modeline(UNDERPASS, "a.json")
    assert with_modeline(once, "b.json") == once.replace("a.json", "b.json")
    assert once.splitlines()[0] == "# yaml-language-server: $schema=a.json"
    assert once.splitlines()[1:] == UNDERPASS.splitlines()
