"""Statements: evidence and facts brought to one form, and counted once for each source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import Evidence, EvidenceKind, KnowledgeError, Text

from .facts import Fact
from .templates import STATUTORY_RATIO, Template

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement about one node of a template.

    Attributes:
        node: id in the graph, of what was said.
        target: node of the template that it bears on.
        vector: P(seen | state) of the target, or its prior.
        sets_prior: whether the vector replaces the prior of a root.
        hard: whether the target's state was observed.
        reason: in both languages.
        evidence: in the shared form.
    """

    node: str
    target: str
    vector: Vector
    sets_prior: bool
    hard: bool
    reason: Text
    evidence: Evidence


def statement_of_fact(template: Template, fact: Fact) -> Statement | None:
    """Bring a fact into the form of a statement; None where it says nothing to the experience layer."""
    name = fact.node.removeprefix(f"{template.rule.id}.")
    evidence = Evidence(
        node=fact.node,
        place=fact.place,
        kind=EvidenceKind.OBSERVED,
        value=float(fact.state),
        group=fact.group,
        time_ms=fact.time_ms,
        sign=fact.sign,
        note=fact.reason.en[:500],
    )
    if name in template.network.states:
        return _observed(template, name, fact.node, evidence, fact.reason)
    if fact.state and name in template.targets:
        vector = (1.0, STATUTORY_RATIO)
        return Statement(fact.node, template.targets[name], vector, False, False, fact.reason, evidence)
    return None


def statement_of_evidence(template: Template, evidence: Evidence, titles: Mapping[str, Text]) -> Statement:
    """Bring evidence into the form of a statement.

    Raises:
        KnowledgeError: if its node is unknown, or a prior is set on a node that has causes.
    """
    name = evidence.node.removeprefix(f"{template.rule.id}.")
    target = template.targets.get(name, name)
    if target not in template.network.states:
        known = ", ".join(sorted(template.rule.node(node) for node in (*template.priors, *template.targets)))
        message = f"Evidence names the unknown node {evidence.node!r}. Send one of: {known}."
        raise KnowledgeError(message)
    reason = _reason(template, name, evidence, titles)
    if evidence.kind is EvidenceKind.OBSERVED:
        return _observed(template, target, evidence.node, evidence, reason)
    if evidence.kind is EvidenceKind.LIKELIHOOD:
        return Statement(evidence.node, target, (1.0, evidence.value), False, False, reason, evidence)
    if target not in template.priors:
        message = (
            f"Exceedance evidence sets a prior, but {evidence.node!r} is no root. Send a likelihood ratio instead."
        )
        raise KnowledgeError(message)
    vector = (1 - evidence.value, evidence.value)
    return Statement(evidence.node, target, vector, True, False, reason, evidence)


def _observed(template: Template, target: str, node: str, evidence: Evidence, reason: Text) -> Statement:
    vector = (1 - evidence.value, evidence.value)
    return Statement(node, target, vector, target in template.priors, True, reason, evidence)


def _reason(template: Template, name: str, evidence: Evidence, titles: Mapping[str, Text]) -> Text:
    entry = template.rule.words.signs.get(name)
    if entry is not None and entry.reason is not None:
        return fill_reason(entry.reason, evidence.value)
    title = titles.get(evidence.sign or "") or Text(zh=name, en=name)
    note = f": {evidence.note}" if evidence.note else ""
    match evidence.kind:
        case EvidenceKind.EXCEEDANCE:
            share = f"{evidence.value:.1%}"
            return Text(zh=f"{title.zh}预报越限概率 {share}{note}", en=f"{title.en}: forecast exceedance {share}{note}")
        case EvidenceKind.LIKELIHOOD:
            ratio = f"{evidence.value:.3g}"
            return Text(zh=f"{title.zh}异常，似然比 {ratio}{note}", en=f"{title.en}: likelihood ratio {ratio}{note}")
    zh, en = ("属实", "seen") if evidence.value else ("未见", "not seen")
    return Text(zh=f"{title.zh}：{zh}{note}", en=f"{title.en}: {en}{note}")


def fill_reason(reason: Text, value: float | None) -> Text:
    """Put the value where an authored reason says ``<value>``."""
    shown = "" if value is None else f"{value:.4g}"
    return Text(zh=reason.zh.replace("<value>", shown), en=reason.en.replace("<value>", shown))


class Ledger:
    """Which statements count: one for each root that several set, one for each source.

    Statements belong to one source if they share a group or a sign. Of one source, the statement that alone moves the
    risk most counts; a node that was observed is not also guessed.

    Args:
        statements: all statements about one risk at one place.
        effects: what each alone does to the log-odds.
    """

    def __init__(self, statements: Sequence[Statement], effects: NDArray[np.float64]) -> None:
        self.statements = statements
        self._strength = np.abs(effects)
        self._sources = _sources(statements)

    def counted(self, left_out: Iterable[int] = ()) -> list[int]:
        """Return the indices of the statements that count, strongest first, as if some had never been made."""
        out = set(left_out)
        present = [index for index in range(len(self.statements)) if index not in out]
        best: dict[str, int] = {}
        for index in present:
            statement = self.statements[index]
            if statement.sets_prior or statement.hard:
                other = best.get(statement.target)
                if other is None or self._certainty(index) > self._certainty(other):
                    best[statement.target] = index
        kept = [
            index
            for index in present
            if not (self.statements[index].sets_prior or self.statements[index].hard)
            or best[self.statements[index].target] == index
        ]
        strongest: dict[int, int] = {}
        for index in kept:
            other = strongest.get(self._sources[index])
            if other is None or self._rank(index) < self._rank(other):
                strongest[self._sources[index]] = index
        return sorted(strongest.values(), key=self._rank)

    def of_sources(self, indices: Iterable[int]) -> list[int]:
        """Return all statements of the sources that these statements come from."""
        sources = {self._sources[index] for index in indices}
        return [index for index, source in enumerate(self._sources) if source in sources]

    def trace(self) -> list[str]:
        """Say which statements were not counted, and why."""
        counted = set(self.counted())
        by_source = {self._sources[index]: index for index in counted}
        lines = []
        for index, statement in enumerate(self.statements):
            if index not in counted:
                stronger = by_source.get(self._sources[index])
                because = (
                    self.statements[stronger].node if stronger is not None else f"another word on {statement.target}"
                )
                lines.append(f"{statement.node}: same source as {because}, counted once")
        return lines

    def _certainty(self, index: int) -> tuple[bool, int, float, str]:
        statement = self.statements[index]
        return statement.hard, statement.evidence.time_ms, float(self._strength[index]), statement.evidence.group

    def _rank(self, index: int) -> tuple[float, str, str, float]:
        statement = self.statements[index]
        return -float(self._strength[index]), statement.node, statement.evidence.group, statement.evidence.value


def count_in_many(statements: Sequence[Statement], strength: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which statements count in each of many cases at one instant, as :meth:`Ledger.counted` does for one.

    Args:
        statements: the same in all cases, but for their numbers.
        strength: how far each alone moves the log-odds, shape ``(statements, cases)``.
    """
    columns = np.arange(strength.shape[1])
    hard = np.array([statement.hard for statement in statements], bool)
    group = np.unique([statement.evidence.group for statement in statements], return_inverse=True)[1]
    kept = np.ones(strength.shape, bool)
    best: dict[str, NDArray[np.int64]] = {}
    fixing = [i for i, statement in enumerate(statements) if statement.sets_prior or statement.hard]
    for index in fixing:
        other = best.setdefault(statements[index].target, np.full(columns.size, index))
        own, its = strength[index], strength[other, columns]
        stronger = (own > its) | ((own == its) & (group[index] > group[other]))
        surer = (hard[index] & ~hard[other]) | ((hard[index] == hard[other]) & stronger)
        best[statements[index].target] = np.where(surer, index, other)
    for index in fixing:
        kept[index] = best[statements[index].target] == index
    counted = np.zeros(strength.shape, bool)
    sources = _sources(statements)
    for source in dict.fromkeys(sources):
        members = [i for i, own in enumerate(sources) if own == source]
        members.sort(key=lambda i: (statements[i].node, statements[i].evidence.group))
        ranked = np.where(kept[members], strength[members], -1.0)
        chosen = np.asarray(members)[ranked.argmax(axis=0)]  # the first of equals: the rank's own order
        counted[chosen, columns] = kept[chosen, columns]
    return counted


def _sources(statements: Sequence[Statement]) -> list[int]:
    """Number the sources: statements that share a group or a sign, directly or through others, are one."""
    parent = list(range(len(statements)))

    def find(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, statement in enumerate(statements):
        keys = [("group", statement.evidence.group)]
        if statement.evidence.sign is not None:
            keys.append(("sign", statement.evidence.sign))
        for key in keys:
            other = find(first.setdefault(key, index))
            parent[find(index)] = other
    return [find(index) for index in range(len(statements))]
