"""A rule file as its author wrote it: values with their spelling, comments and blank lines, for rewriting.

``documents`` reads what a file means; here it is read so that it can be written again and nothing is lost. The bounds
of ``documents`` hold: parse there first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)


@dataclass(slots=True)
class Leaf:
    """A scalar.

    Attributes:
        text: its value.
        quoted: whether it stood in quotes or a block, so that it is text whatever it looks like.
        start: where it begins in the file, in characters.
        end: where it ends.
    """

    text: str
    quoted: bool
    start: int
    end: int


@dataclass(slots=True)
class Branch:
    """A mapping or a sequence.

    Attributes:
        is_mapping: whether its entries have keys.
        start: where it begins in the file, in characters.
        is_flow: whether it stood in brackets.
        end: where it ends.
        entries: in the order written.
        foot: comments after the last entry.
    """

    is_mapping: bool
    start: int
    is_flow: bool = False
    end: int = 0
    entries: list[Entry] = field(default_factory=list)
    foot: list[Comment] = field(default_factory=list)

    @property
    def has_comments(self) -> bool:
        """Whether a comment stands anywhere inside."""
        return bool(self.foot) or any(
            entry.head or entry.tail or (isinstance(entry.node, Branch) and entry.node.has_comments)
            for entry in self.entries
        )


@dataclass(slots=True)
class Comment:
    """One comment: its text without ``#``, and whether a blank line stands before it."""

    text: str
    after_blank: bool = False


@dataclass(slots=True)
class Entry:
    """One entry of a branch.

    Attributes:
        key: None in a sequence.
        node: its value.
        line: of its key or dash, from 0.
        column: of its key or dash.
        start: in characters.
        after_blank: whether a blank line stands before it.
        head: comments on lines of their own before it.
        tail: the comment behind it on its line.
    """

    key: Leaf | None
    node: Leaf | Branch
    line: int
    column: int
    start: int
    after_blank: bool = False
    head: list[Comment] = field(default_factory=list)
    tail: str = ""


def read_manuscript(text: str) -> Leaf | Branch:
    """Read YAML text that ``documents`` has accepted; every comment hangs on an entry or at a branch's foot."""
    reader = _Reader(text)
    root = reader.read()
    if isinstance(root, Branch):
        _attach_comments(reader, root)
    return root


def comments_of(text: str) -> list[str]:
    """Return the texts of all comments, in the order written."""
    reader = _Reader(text)
    reader.read()
    return [found.text for found in _find_comments(reader)]


class _Reader:
    """Turns parser events into a tree with positions."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.scalars: list[tuple[int, int]] = []
        self.ordered: list[tuple[Entry, tuple[Branch, ...]]] = []
        self._events = iter(YAML(typ="safe", pure=True).parse(text))

    def read(self) -> Leaf | Branch:
        for event in self._events:
            if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
                return self._node(event, ())
        return Leaf("", quoted=False, start=0, end=0)

    def _node(
        self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, above: tuple[Branch, ...]
    ) -> Leaf | Branch:
        if isinstance(event, ScalarEvent):
            return self._leaf(event)
        branch = Branch(isinstance(event, MappingStartEvent), event.start_mark.index, bool(event.flow_style))
        for child in self._events:
            if isinstance(child, MappingEndEvent | SequenceEndEvent):
                branch.end = child.end_mark.index if event.flow_style else self._last_end(branch)
                break
            self._entry(child, branch, (*above, branch))
        return branch

    def _entry(self, event: ScalarEvent, branch: Branch, above: tuple[Branch, ...]) -> None:
        mark = event.start_mark
        start, column = mark.index, mark.column
        key: Leaf | None = None
        slot = len(self.ordered)
        if branch.is_mapping:
            key = self._leaf(event)
            event = next(self._events)
        else:
            dash = self.lines[mark.line].rfind("-", 0, column)
            column = dash if dash >= 0 and not self.lines[mark.line][:dash].strip(" -") else column
        entry = Entry(key, Leaf("", quoted=False, start=start, end=start), mark.line, column, start)
        entry.after_blank = mark.line > 0 and not self.lines[mark.line - 1].strip()
        self.ordered.insert(slot, (entry, above))
        entry.node = self._node(event, above)
        branch.entries.append(entry)

    def _leaf(self, event: ScalarEvent) -> Leaf:
        start, end = event.start_mark.index, event.end_mark.index
        self.scalars.append((start, end))
        return Leaf(event.value, event.style is not None, start, end)

    @staticmethod
    def _last_end(branch: Branch) -> int:
        return branch.entries[-1].node.end if branch.entries else branch.start


@dataclass(frozen=True, slots=True)
class _Found:
    text: str
    line: int
    column: int
    start: int
    alone: bool
    after_blank: bool


def _find_comments(reader: _Reader) -> Iterator[_Found]:
    """Yield every comment: a ``#`` at the start of a line or after a blank, outside every scalar."""
    inside = sorted(reader.scalars)
    position, begin = 0, 0
    for number, line in enumerate(reader.lines):
        for match in re.finditer(r"(?:^|(?<=\s))#", line):
            start = begin + match.start()
            while position < len(inside) and inside[position][1] <= start:
                position += 1
            if position < len(inside) and inside[position][0] <= start:
                continue
            alone = not line[: match.start()].strip()
            blank = number > 0 and not reader.lines[number - 1].strip()
            yield _Found(line[match.start() + 1 :].strip(), number, match.start(), start, alone, alone and blank)
            break
        begin += len(line) + 1


def _attach_comments(reader: _Reader, root: Branch) -> None:
    for found in _find_comments(reader):
        if found.alone:
            _attach_alone(reader, root, found)
        else:
            _attach_behind(reader, root, found)


def _attach_alone(reader: _Reader, root: Branch, found: _Found) -> None:
    """Give a comment on its own line to the entry below, or to the block above that it is indented like."""
    comment = Comment(found.text, found.after_blank)
    below = next((entry for entry, _ in reader.ordered if entry.start > found.start), None)
    before = [(entry, above) for entry, above in reader.ordered if entry.start < found.start]
    if below is not None and (found.column <= below.column or not before):
        below.head.append(comment)
        return
    above = before[-1][1] if before else (root,)
    last = before[-1][0] if before else None
    if last is not None and isinstance(last.node, Branch) and not last.node.entries:
        above = (*above, last.node)
    if any(branch.is_flow and branch.end > found.start for branch in above):
        (below.head if below is not None and below.start < above[-1].end else above[-1].foot).append(comment)
        return
    blocks = [branch for branch in above if not branch.is_flow and branch.entries]
    fitting = [branch for branch in blocks if branch.entries[0].column <= found.column]
    (fitting[-1] if fitting else root).foot.append(comment)


def _attach_behind(reader: _Reader, root: Branch, found: _Found) -> None:
    """Give a comment behind something to the last outermost entry that begins on its line and is over there."""
    here = [
        (entry, len(above)) for entry, above in reader.ordered if entry.line == found.line and entry.start < found.start
    ]
    over = [(entry, depth) for entry, depth in here if entry.node.end <= found.start]
    outermost = min((depth for _, depth in over), default=0)
    ended = [entry for entry, depth in over if depth == outermost][-1:]
    if not here:
        begun = [entry for entry, _ in reader.ordered if entry.start < found.start]
        ended = [entry for entry in begun if reader.text.count("\n", 0, entry.node.end) == found.line][:1] or begun[-1:]
    chosen = ended[0] if ended else here[-1][0] if here else None
    if chosen is None:
        root.foot.append(Comment(found.text))
    elif chosen.tail:
        chosen.head.append(Comment(found.text))
    else:
        chosen.tail = found.text
