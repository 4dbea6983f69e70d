"""How a rule's causes combine: what ``combine`` needs, and what it would leave unread."""

from __future__ import annotations

from collections.abc import Iterator

from contracts import Problem

from .authoring import RuleWords
from .documents import Document
from .full_tables import MAXIMUM_CAUSES, missing_rows

_SHOWN_ROWS = 5


def verify_combination(words: RuleWords, document: Document) -> Iterator[Problem]:
    """Yield what is missing, contradicts ``combine``, or would never be read."""
    by_counts = words.combine in {"any", "all"}
    for name, cause in words.causes.items():
        where = document.where(("causes", name))
        if by_counts and cause.yes is None:
            yield Problem(
                where, f"{name!r} has no frequency.", "Add yes and of: of ten such events, how many bring it?"
            )
        if not by_counts and cause.yes is not None:
            message = f"{name!r} has a frequency that 'combine: {words.combine}' does not read."
            remedy = "Give it a weight." if words.combine == "ranked" else "Say it in the rows under table."
            yield Problem(where, message, f"Remove yes and of. {remedy}")
        if words.combine == "ranked" and cause.weight is None:
            yield Problem(where, f"{name!r} has no weight.", "Add weight: how much it counts beside the others.")
        if words.combine != "ranked" and cause.weight is not None:
            yield Problem(where, f"{name!r} has a weight, but nothing is ranked.", "Say 'combine: ranked'.")
    needed = 1 if words.combine != "all" else 2
    if words.combine != "any" and len(words.causes) < needed:
        where, plural = document.where(("combine",)), "a cause" if needed == 1 else "two causes"
        yield Problem(where, f"{words.combine!r} needs {plural}.", "Add a cause or say 'combine: any'.")
    yield from _verify_ranks(words, document)
    yield from _verify_table(words, document)


def _verify_ranks(words: RuleWords, document: Document) -> Iterator[Problem]:
    if words.combine == "ranked" and words.ranked is None:
        yield Problem(document.where(("combine",)), "says no spread.", "Add 'ranked: {spread: 0.3}'.")
    if words.combine != "ranked" and words.ranked is not None:
        yield Problem(document.where(("ranked",)), "nothing reads 'ranked'.", "Say 'combine: ranked', or remove it.")
    yield from _verify_width(words, document)


def _verify_width(words: RuleWords, document: Document) -> Iterator[Problem]:
    if words.combine in {"ranked", "table"} and len(words.causes) > MAXIMUM_CAUSES:
        message = f"{words.combine!r} of {len(words.causes)} causes is a table of 2^{len(words.causes)} rows."
        yield Problem(document.where(("combine",)), message, f"Keep to {MAXIMUM_CAUSES}, or say 'combine: any'.")


def _verify_table(words: RuleWords, document: Document) -> Iterator[Problem]:
    if words.combine != "table":
        if words.table:
            yield Problem(document.where(("table",)), "nothing reads 'table'.", "Say 'combine: table', or remove it.")
        return
    seen: dict[frozenset[str], int] = {}
    for index, row in enumerate(words.table):
        where = document.where(("table", index))
        unknown = [name for name in row.when if name not in words.causes]
        if unknown:
            yield Problem(where, f"{unknown[0]!r} is no cause.", f"Known: {', '.join(words.causes)}.")
        first = seen.setdefault(frozenset(row.when), index)
        if first != index:
            yield Problem(where, f"says the same case as row {first + 1}.", "Keep one of the two.")
        if len(set(row.when)) < len(row.when):
            yield Problem(where, "names a cause twice.", "Name each cause that is there once.")
    if len(words.causes) <= MAXIMUM_CAUSES:
        missing = missing_rows(list(words.causes), words.table)
        if missing:
            shown = "; ".join(" + ".join(names) for names in missing[:_SHOWN_ROWS])
            more = "" if len(missing) <= _SHOWN_ROWS else f" and {len(missing) - _SHOWN_ROWS} more"
            message = f"no row says how it is with {shown}{more}."
            yield Problem(document.where(("table",)), message, "Add a row for each combination of causes.")
