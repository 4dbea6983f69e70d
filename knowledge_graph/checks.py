"""What a resolved rule must satisfy: ``verify`` for every rule, ``advise`` for a rule that wants to be active."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from contracts import Level, Problem

from .authoring import CauseWords, InhibitorWords, RuleWords, SignWords
from .combining import verify_combination
from .documents import Document
from .ruleset import Rule

_DURATIONS = {"minutes", "hours", "days"}


def verify(rule: Rule, document: Document) -> Iterator[Problem]:
    """Yield what makes a rule unusable: levels, frequencies, references, groups, tests that name nothing."""
    words = rule.words
    yield from _verify_levels(words, document)
    yield from _verify_causes(words, document)
    for name, entry in words.signs.items():
        yield from _verify_entry(name, entry, rule, document)
    yield from _verify_groups(rule, document)
    yield from _verify_tests(rule, document)
    if words.effective_from and words.effective_until and words.effective_from > words.effective_until:
        message = f"until {words.effective_until} lies before from {words.effective_from}."
        yield Problem(document.where(("until",)), message, "Put the later day last.")


def _verify_levels(words: RuleWords, document: Document) -> Iterator[Problem]:
    ordered = sorted(words.levels.items(), key=lambda item: Level(item[0]).rank)
    for level, spec in ordered:
        if spec.bar >= 1:
            message = f"{level} would need a probability above {spec.bar:.3g}."
            yield Problem(document.where(("levels", level)), message, "Let the cost stay below the loss.")
    for (low, first), (high, second) in itertools.pairwise(ordered):
        if first.bar >= second.bar:
            message = f"{high} (bar {second.bar:.3g}) is reached no later than {low} (bar {first.bar:.3g})."
            yield Problem(document.where(("levels", high)), message, "Let cost/loss rise from blue to red.")


def _verify_causes(words: RuleWords, document: Document) -> Iterator[Problem]:
    leak = words.leak.rate
    if leak >= 1:
        yield Problem(document.where(("leak",)), "the risk always comes.", "Give the leak a share below one.")
    yield from verify_combination(words, document)
    for name, cause in words.causes.items():
        where = document.where(("causes", name))
        if cause.yes is not None and cause.reading == "compound" and cause.rate < leak:
            message = f"{name!r} brings the risk in {cause.rate:.3g}, less than the leak of {leak:.3g}."
            yield Problem(where, message, "Raise it, lower the leak, or say 'reading: alone'.")
        if name in words.inhibits:
            yield Problem(where, f"{name!r} is a cause and an inhibitor.", "Give the two different names.")
        if name == words.risk:
            yield Problem(where, f"{name!r} causes itself.", "A loop goes only through another rule's earlier answer.")
    for name in {words.risk} & (set(words.inhibits) | set(words.signs)):
        message = f"the name {name!r} of the risk is used twice."
        yield Problem(document.where(("risk",)), message, "Give the risk's node a name of its own.")


def _verify_entry(name: str, entry: SignWords, rule: Rule, document: Document) -> Iterator[Problem]:
    words = rule.words
    where = document.where(("signs", name))
    is_root = name in words.causes or name in words.inhibits
    tells = entry.seen is not None or entry.otherwise is not None
    if (entry.seen is None) != (entry.otherwise is None):
        yield Problem(where, f"{name!r} has only one of seen and otherwise.", "Give both frequencies.")
    if is_root and tells:
        yield Problem(where, f"{name!r} is a cause and an indicator.", "Remove seen and otherwise, or the cause.")
    if (
        entry.seen is not None
        and entry.otherwise is not None
        and not {0.0, 1.0}.isdisjoint({entry.seen.rate, entry.otherwise.rate})
    ):
        yield Problem(where, f"{name!r} claims certainty.", "Let both shares lie between none and all.")
    if entry.brought is None and not is_root and not tells and entry.law is None and not _is_used(name, rule):
        message = f"{name!r} reaches no node."
        yield Problem(where, message, "Give it seen and otherwise, name it under causes, or give it a law.")
    if entry.brought in {"shock", "drift", "ratio"} and (tells or entry.prior is not None):
        yield Problem(where, f"{name!r} brings its own ratio.", "Remove seen, otherwise and prior.")
    nodes = {words.risk, *words.causes, *words.inhibits}
    if entry.of is not None and entry.of not in nodes:
        yield Problem(document.where(("signs", name, "of")), f"no node {entry.of!r}.", f"Known: {sorted(nodes)}.")
    if entry.law is not None and entry.brought is not None:
        yield Problem(where, f"the law {entry.law!r} hangs on a model.", "A law hangs on readings alone.")
    if entry.prior is not None and not is_root:
        yield Problem(where, f"{name!r} has a prior, but is no root.", "Name it under causes, or remove the prior.")


def _is_used(name: str, rule: Rule) -> bool:
    """Return whether another entry or a table needs the entry; what tables were spread into always is."""
    if name in rule.derived or any(name in table.inputs for table in rule.tables.values()):
        return True
    return any(
        name in (*(entry.sequence or ()), *(entry.every or ()), *entry.unless) for entry in rule.words.signs.values()
    )


def _verify_groups(rule: Rule, document: Document) -> Iterator[Problem]:
    first: dict[str, tuple[str, str]] = {}
    for name, entry in rule.words.signs.items():
        if entry.source is None:
            continue
        group = entry.group or entry.source
        other, known = first.setdefault(entry.source, (name, group))
        if known != group:
            message = f"{name!r} and {other!r} read {entry.source!r} in the groups {group!r} and {known!r}."
            yield Problem(document.where(("signs", name, "group")), message, "One source is one group; use one name.")


def _verify_tests(rule: Rule, document: Document) -> Iterator[Problem]:
    words = rule.words
    laws = {entry.law for entry in words.signs.values() if entry.law}
    known = {words.risk, *words.signs, *words.causes, *words.inhibits, *_DURATIONS}
    expectations = {"none", *words.levels, *(f"law.{law}" for law in laws), *(f"fact.{name}" for name in words.signs)}
    for index, test in enumerate(words.tests):
        for name in test.given:
            if name not in known:
                where = document.where(("tests", index, "given", name))
                yield Problem(where, f"{name!r} is no sign, cause or inhibitor.", f"Known: {sorted(known)}.")
        for key, expected in (("expect", test.expect), ("expect_not", test.expect_not)):
            if expected is not None and expected not in expectations:
                where = document.where(("tests", index, key))
                yield Problem(where, f"{expected!r} cannot come.", f"Expect one of {sorted(expectations)}.")


def advise(rule: Rule, document: Document) -> Iterator[Problem]:
    """Yield what a rule needs before it may be active: citations, all three kinds of test, priors of its roots."""
    words = rule.words
    for name, entry in words.signs.items():
        if entry.law is not None and not (words.laws.get(entry.law) and words.laws[entry.law].cite):
            message = f"the law {entry.law!r} has no citation."
            yield Problem(document.where(("signs", name, "law")), message, f"Add laws: {{{entry.law}: {{cite: ...}}}}.")
    kinds = {kind_of(test.expect, test.kind) for test in words.tests}
    for kind in ("positive", "negative", "boundary"):
        if kind not in kinds:
            message = f"has no {kind} test."
            yield Problem(
                document.where(("tests",)), message, "Every rule has a positive, a negative and a boundary test."
            )
    if words.title is None:
        yield Problem(document.where(("id",)), "has no title.", "Add 'title: {zh: ..., en: ...}'.")
    roots: tuple[tuple[str, Mapping[str, CauseWords | InhibitorWords]], ...] = (
        ("causes", words.causes),
        ("inhibits", words.inhibits),
    )
    for section, named in roots:
        for name, root in named.items():
            sign = words.signs.get(name)
            if root.prior is None and (sign is None or sign.prior is None):
                message = f"{name!r} has no prior: unknown, it counts as absent."
                yield Problem(document.where((section, name)), message, "Add 'prior: {yes: ..., of: ...}'.")


def kind_of(expect: str | None, stated: str | None) -> str:
    """Return the kind of a test: as stated, else positive if something is expected to come."""
    if stated is not None:
        return stated
    return "positive" if expect not in {None, "none"} else "negative"
