"""YAML read within bounds, with the line of every key: no aliases, no tags, no surprises.

Built from the parser's events instead of its constructors, so that a bomb or a deep nest is refused before
anything is allocated for it. Plain scalars follow the YAML 1.2 core schema: ``yes`` and ``no`` are text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from contracts import Problem

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_DEPTH = 12
MAXIMUM_NODES = 20_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One file, read.

    Attributes:
        name: the file's name, for messages.
        data: plain dicts, lists, strings, numbers, booleans and None.
        lines: location of each node → its line, from 1.
    """

    name: str
    data: Any
    lines: dict[Location, int]

    def where(self, location: Location) -> str:
        """Return ``file:line`` of a location, or of the nearest one above it that stands in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return f"{self.name}:{self.lines.get(location, 1)}"


class _RefusedError(Exception):
    """The document breaks a bound; carries the problem."""

    def __init__(self, line: int, message: str, remedy: str) -> None:
        super().__init__(message)
        self.line, self.message, self.remedy = line, message, remedy


def read_document(path: Path, problems: list[Problem]) -> Document | None:
    """Read one YAML file.

    Args:
        path: the file.
        problems: what is wrong is appended here, with file, line and remedy.

    Returns:
        The document, or None if it could not be read.
    """
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            message = f"has {path.stat().st_size} bytes, more than {MAXIMUM_BYTES}."
            problems.append(Problem(path.name, message, "Write one risk per file."))
            return None
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(Problem(path.name, f"cannot be read: {exc}.", "Give a readable UTF-8 file."))
        return None
    return parse_document(path.name, text, problems)


def parse_document(name: str, text: str, problems: list[Problem]) -> Document | None:
    """Parse YAML text; append what is wrong to ``problems`` and return None if it cannot be used."""
    builder = _Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except _RefusedError as exc:
        problems.append(Problem(f"{name}:{exc.line}", exc.message, exc.remedy))
        return None
    except MarkedYAMLError as exc:
        unclosed = any(word in (exc.context or "") for word in ("flow", "quoted"))
        mark = exc.context_mark if unclosed and exc.context_mark else exc.problem_mark
        line = mark.line + 1 if mark else 1
        message = f"is not valid YAML: {exc.problem or exc.context}."
        problems.append(Problem(f"{name}:{line}", message, "Check indentation, colons, quotes and brackets there."))
        return None
    except (YAMLError, ValueError) as exc:
        message = f"is not valid YAML: {exc}."
        problems.append(Problem(f"{name}:1", message.replace("\n", " "), "Save it as plain UTF-8 text."))
        return None
    return Document(name, builder.root, builder.lines)


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    location: Location
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    """Builds plain data from parser events, counting as it goes."""

    root: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    _open: list[_Open] = field(default_factory=list)
    _nodes: int = 0
    _documents: int = 0

    def take(self, event: Event) -> None:
        """Take the next event."""
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(line, "holds a second document.", "Put each risk into a file of its own.")
        elif isinstance(event, AliasEvent):
            self._refuse(line, f"uses the alias *{event.anchor}.", "Write the value out; aliases are not allowed.")
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._open.pop()
        elif isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            self._node(event, line)

    def _node(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, line: int) -> None:
        self._nodes += 1
        if self._nodes > MAXIMUM_NODES:
            self._refuse(line, f"holds more than {MAXIMUM_NODES} values.", "Write one risk per file.")
        if event.anchor is not None:
            self._refuse(line, f"defines the anchor &{event.anchor}.", "Remove it; anchors are not allowed.")
        if event.tag is not None and str(event.tag) != "!":
            self._refuse(line, f"uses the tag {event.tag}.", "Remove it; only plain values are allowed.")
        if isinstance(event, ScalarEvent):
            self._scalar(event, line)
            return
        if len(self._open) >= MAXIMUM_DEPTH:
            self._refuse(line, f"nests deeper than {MAXIMUM_DEPTH} levels.", "Flatten it.")
        value: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
        location = self._place(value, line)
        self._open.append(_Open(value, location))

    def _scalar(self, event: ScalarEvent, line: int) -> None:
        top = self._open[-1] if self._open else None
        if top is None or top.key is not None or isinstance(top.value, list):
            self._place(event.value if event.style else resolve_scalar(event.value), line)
            return
        if event.value in top.value:
            self._refuse(line, f"says {event.value!r} twice.", "Keep one of the two.")
        top.key = str(event.value)
        self.lines[(*top.location, top.key)] = line

    def _place(self, value: Any, line: int) -> Location:
        if not self._open:
            self.root = value
            self.lines[()] = line
            return ()
        top = self._open[-1]
        if isinstance(top.value, list):
            location: Location = (*top.location, len(top.value))
            top.value.append(value)
            self.lines[location] = line
            return location
        if top.key is None:
            self._refuse(line, "uses a list or mapping as a key.", "Use plain words as keys.")
        location = (*top.location, str(top.key))
        top.value[str(top.key)] = value
        top.key = None
        return location

    @staticmethod
    def _refuse(line: int, message: str, remedy: str) -> None:
        raise _RefusedError(line, message, remedy)


def resolve_scalar(text: str) -> Any:
    """Return what a plain scalar means by the YAML 1.2 core schema; text stays text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
