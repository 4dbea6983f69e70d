"""The canonical form of rule files and procedures: one way to write each, so that a diff shows what changed.

Keys come in the order of the schema, named entries in the author's; what fits on a line stands on one; quotes only
where they are needed. Comments and single blank lines stay where they are. Formatting twice changes nothing.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Iterator

from pydantic import BaseModel

from contracts import KnowledgeError, Level, Problem

from .authoring import RuleWords, StepsWords
from .documents import parse_document, resolve_scalar
from .manuscript import Branch, Comment, Entry, Leaf, comments_of, read_manuscript
from .vocabulary import keys_of, model_at

LINE_WIDTH = 120
_SECTIONS = {"signs", "causes", "inhibits", "levels", "laws", "tables", "rows", "table", "tests", "steps"}
_INDICATORS = "-?:,[]{}#&*!|>'\"%@`<=~"
_UNSAFE = re.compile(r": |:$| #|^\s|\s$|[0-9]:[0-9]")
_UNSAFE_IN_FLOW = re.compile(r"[,\[\]{}]")
_OLD_BOOLEANS = {"y", "n", "yes", "no", "on", "off", "true", "false"}
_INDENT = "  "
_TAIL = "\0"  # stands for the comment behind a line until columns are known; no YAML text holds it
_ALIGNED_WIDTH = 72


def format_document(name: str, text: str, problems: list[Problem]) -> str | None:
    """Return a rule file or ``procedures.yaml`` in canonical form.

    Args:
        name: of the file, for messages.
        text: its content.
        problems: what keeps it from being read is appended here.

    Returns:
        The canonical text, or None if the file cannot be read.

    Raises:
        KnowledgeError: if the canonical text would not say the same, which is a fault of ours; nothing is lost by it.
    """
    document = parse_document(name, text, problems)
    if document is None:
        return None
    if not isinstance(document.data, dict):
        problems.append(Problem(document.where(()), "is no mapping.", "Begin with 'id: ' and the id of the risk."))
        return None
    source = text.removeprefix("\ufeff").replace("\r\n", "\n")
    formatted = _write(read_manuscript(source), document.data)
    again = parse_document(name, formatted, [])
    if again is None or again.data != document.data or sorted(comments_of(formatted)) != sorted(comments_of(source)):
        message = f"{name} cannot be formatted without changing it. Report it with the file; it was left as it is."
        raise KnowledgeError(message)
    return formatted


def _write(root: Leaf | Branch, data: dict[str, object]) -> str:
    if not isinstance(root, Branch) or not root.entries:
        return "{}\n"
    model: type[BaseModel] = RuleWords if "id" in data else StepsWords
    writer = _Writer(model, depth_of_model=0 if model is RuleWords else 1)
    first = root.entries[0]
    header, first.head = first.head, []
    parted, first.after_blank = first.after_blank and bool(header), False
    lines = [*_comment_lines(header, ""), *([""] if parted else []), *writer.branch(root, (), "")]
    while lines and not lines[0]:
        lines.pop(0)
    squeezed = [line for index, line in enumerate(lines) if line or (index and lines[index - 1])]
    return "\n".join(_align(squeezed)).rstrip("\n") + "\n"


def _align(lines: list[str]) -> Iterator[str]:
    """Let the comments behind neighbouring lines begin in one column, as far as that keeps lines short."""
    for has_tail, group in itertools.groupby(lines, key=lambda line: _TAIL in line):
        parts = [line.partition(_TAIL) for line in group]
        column = max(_width(before) for before, _, _ in parts)
        for before, mark, tail in parts:
            gap = column - _width(before) if column <= _ALIGNED_WIDTH else 0
            yield f"{before}{' ' * gap}  # {tail}".rstrip() if has_tail and mark else before


class _Writer:
    """Writes branches as lines.

    Args:
        model: what describes the file's keys.
        depth_of_model: how many keys stand above what the model describes.
    """

    def __init__(self, model: type[BaseModel], depth_of_model: int) -> None:
        self._model = model
        self._skipped = depth_of_model

    def branch(self, branch: Branch, path: tuple[str | int, ...], indent: str) -> Iterator[str]:
        for index, entry in enumerate(self._ordered(branch, path)):
            yield from _comment_lines(entry.head, indent)
            if entry.after_blank and index:
                yield ""
            yield from self._entry(entry, (*path, entry.key.text if entry.key else index), indent)
        yield from _comment_lines(branch.foot, indent)

    def _entry(self, entry: Entry, path: tuple[str | int, ...], indent: str) -> Iterator[str]:
        lead = f"{indent}{_scalar(entry.key, in_flow=False)}:" if entry.key else f"{indent}-"
        tail = f"{_TAIL}{entry.tail}" if entry.tail else ""
        if isinstance(entry.node, Leaf):
            value = _scalar(entry.node, in_flow=False)
            yield f"{lead} {value}{tail}" if value else f"{lead}{tail}"
            return
        if not self._stands_open(entry.node, path):
            line = f"{lead} {self._flow(entry.node, path)}"
            if not entry.key and _width(f"{line}   {tail}") > LINE_WIDTH:  # its comment goes above it, open or not
                yield from _comment_lines([Comment(entry.tail)] if entry.tail else [], indent)
                entry.tail = tail = ""
            if _width(f"{line}   {tail}") <= LINE_WIDTH or not entry.node.entries:
                yield line + tail
                return
        if entry.key:
            yield lead + tail
            yield from self.branch(entry.node, path, indent + _INDENT)
            return
        yield from _comment_lines([Comment(entry.tail)] if entry.tail else [], indent)
        for first in self._ordered(entry.node, path)[:1]:
            yield from _comment_lines(first.head, indent)
            first.head = []
        lines = self.branch(entry.node, path, indent + _INDENT)
        yield f"{lead} {next(lines, '').strip()}"
        yield from lines

    def _stands_open(self, node: Branch, path: tuple[str | int, ...]) -> bool:
        below = path[self._skipped :]
        opened = not below or (len(below) == 1 and below[0] in _SECTIONS) or below[-1] == "rows"
        return bool(node.entries) and (opened or node.has_comments)

    def _flow(self, node: Leaf | Branch, path: tuple[str | int, ...]) -> str:
        if isinstance(node, Leaf):
            return _scalar(node, in_flow=True)
        parts = []
        for index, entry in enumerate(self._ordered(node, path)):
            inner = self._flow(entry.node, (*path, entry.key.text if entry.key else index))
            parts.append(f"{_scalar(entry.key, in_flow=True)}: {inner}".rstrip() if entry.key else inner)
        return f"{{{', '.join(parts)}}}" if node.is_mapping else f"[{', '.join(parts)}]"

    def _ordered(self, branch: Branch, path: tuple[str | int, ...]) -> list[Entry]:
        """Return entries in the schema's order; free names stay in the author's, levels rise."""
        if not branch.is_mapping or len(path) < self._skipped:
            return branch.entries
        below = path[self._skipped :]
        if below == ("levels",):
            order = {str(level): level.rank for level in Level}
        else:
            described = model_at(self._model, below)
            order = {} if described is None else {key: place for place, key in enumerate(keys_of(described))}
        return sorted(branch.entries, key=lambda entry: order.get(entry.key.text if entry.key else "", len(order)))


def _comment_lines(comments: list[Comment], indent: str) -> Iterator[str]:
    for comment in comments:
        if comment.after_blank:
            yield ""
        yield f"{indent}# {comment.text}".rstrip()


def _scalar(leaf: Leaf, *, in_flow: bool) -> str:
    text = leaf.text
    if not leaf.quoted and not text:
        return "null" if in_flow else ""
    if _may_stand_plain(leaf, in_flow=in_flow):
        return text
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in escaped)


def _may_stand_plain(leaf: Leaf, *, in_flow: bool) -> bool:
    text = leaf.text
    if not leaf.quoted and not isinstance(resolve_scalar(text), str):
        return True
    if leaf.quoted and (not isinstance(resolve_scalar(text), str) or text.lower() in _OLD_BOOLEANS):
        return False
    if not text or text[0] in _INDICATORS or not text.isprintable() or _UNSAFE.search(text):
        return False
    return not text.startswith(("---", "...")) and not (in_flow and _UNSAFE_IN_FLOW.search(text))


def _escape(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the basic plane


def _width(line: str) -> int:
    """Return how many columns a terminal needs; a Chinese letter takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
