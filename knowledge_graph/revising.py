"""Numbers of a rule file changed in place: every other character stays, so that a diff shows the change alone."""

from __future__ import annotations

import json
from collections.abc import Mapping

from contracts import KnowledgeError

from .documents import Location
from .manuscript import Branch, Leaf, read_manuscript


def revise(text: str, changes: Mapping[Location, float | str]) -> str:
    """Return a rule file with other values at some places.

    Args:
        text: of a file that passes the check.
        changes: location → number, or text of a single line. A last key that is missing is added to its mapping.

    Raises:
        KnowledgeError: if a location leads nowhere.
    """
    root = read_manuscript(text)
    edits = sorted((_edit(text, root, where, value) for where, value in changes.items()), reverse=True)
    for start, end, written in edits:
        text = text[:start] + written + text[end:]
    return text


def _edit(text: str, root: Leaf | Branch, where: Location, value: float | str) -> tuple[int, int, str]:
    """Return what to write from where to where."""
    node: Leaf | Branch = root
    for depth, key in enumerate(where):
        if not isinstance(node, Branch):
            break
        found = next((one.node for one in node.entries if one.key is not None and one.key.text == key), None)
        if found is None and depth == len(where) - 1 and node.entries:
            return _added(text, node, str(key), value)
        if found is None:
            break
        node = found
    else:
        if isinstance(node, Leaf):
            return node.start, node.end, _written(value)
    message = f"{'.'.join(map(str, where))} is no value of the rule file. Name a value that stands in it."
    raise KnowledgeError(message)


def _added(text: str, branch: Branch, key: str, value: float | str) -> tuple[int, int, str]:
    last = branch.entries[-1]
    end = last.node.end
    if branch.is_flow:
        return end, end, f", {key}: {_written(value)}"
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop
    return stop, stop, f"\n{' ' * last.column}{key}: {_written(value)}"


def _written(value: float | str) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else f"{value:.4g}"
