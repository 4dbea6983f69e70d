"""The JSON Schema of rule files and procedures, for editors that complete, explain and check while one types.

The published files under ``schemas/`` are made by this module; a test keeps them in step with the classes.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from . import authoring
from .authoring import RuleWords, StepsWords

SCHEMA_FOLDER = Path(__file__).parent / "schemas"
RULE_SCHEMA, PROCEDURE_SCHEMA = "rule.schema.json", "procedures.schema.json"
_MODELINE = re.compile(r"^#\s*yaml-language-server:.*\n?", re.MULTILINE)
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def rule_schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule file."""
    schema = RuleWords.model_json_schema(by_alias=True)
    return _described({"$schema": _DIALECT, **schema, "title": "cityforge rule: one risk"})


def procedure_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``procedures.yaml``."""
    schema = TypeAdapter(dict[str, StepsWords]).json_schema(by_alias=True)
    return _described({"$schema": _DIALECT, **schema, "title": "cityforge procedures: what to do and who leads"})


def schema_text(schema: dict[str, Any]) -> str:
    """Return a schema as it is published."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def with_modeline(text: str, schema: str) -> str:
    """Return a file's text with a first line that tells editors where its schema lies.

    Args:
        text: the file.
        schema: path of the schema, relative to the file.
    """
    return f"# yaml-language-server: $schema={schema}\n" + _MODELINE.sub("", text, count=1)


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """Add to each property what the docstring of its class says of it."""
    root = [("RuleWords", schema)] if "properties" in schema else []
    for name, part in [*root, *schema.get("$defs", {}).items()]:
        model = getattr(authoring, name, None)
        if not (inspect.isclass(model) and issubclass(model, BaseModel)):
            continue
        told = _attributes(model)
        part["description"] = (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " ")
        for field_name, field in model.model_fields.items():
            shown = part.get("properties", {}).get(field.alias or field_name)
            if shown is not None and field_name in told:
                shown["description"] = told[field_name]
                shown.pop("title", None)
    _close(schema)
    return schema


def _close(part: Any) -> None:
    """Let editors mark names that no rule may have: JSON Schema ignores what no pattern matches."""
    if isinstance(part, dict):
        if "patternProperties" in part:
            part["additionalProperties"] = False
        for inner in part.values():
            _close(inner)
    elif isinstance(part, list):
        for inner in part:
            _close(inner)


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Return attribute → what the docstring says, markup removed."""
    documentation = inspect.cleandoc(model.__doc__ or "")
    section = documentation.partition("Attributes:\n")[2]
    return {name: re.sub(r"\s+", " ", text).replace("``", "`") for name, text in _ATTRIBUTE.findall(section)}
