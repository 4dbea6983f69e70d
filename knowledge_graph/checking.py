"""What to check next: the node whose answer would save most, before anybody is sent (value of information)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts import Evidence, EvidenceKind, Text

from .reasoning import counted_statements, evidence_arrays
from .statements import Statement
from .templates import Template


@dataclass(frozen=True, slots=True)
class NextCheck:
    """One thing that somebody could go and look at.

    Attributes:
        node: id in the graph.
        saves: expected saving in the units of the level's cost, before the check's own cost.
        likely: probability that the answer is yes.
        if_yes: probability of the risk if it is.
        if_no: probability of the risk if it is not.
    """

    node: str
    saves: float
    likely: float
    if_yes: float
    if_no: float


def rank_checks(template: Template, statements: Sequence[Statement], *, cost: float, loss: float) -> list[NextCheck]:
    """Rank the nodes that nobody has observed by the expected saving of knowing them.

    Acting costs ``cost``, not acting costs ``loss`` times the probability; whoever knows a node chooses after it
    (Howard 1966). Checks that cannot change what is done save nothing.
    """
    counted = [statements[index] for index in counted_statements(template, statements)]
    known = {statement.target for statement in counted if statement.hard}
    words = template.rule.words
    open_nodes = [name for name in (*template.priors, *words.signs) if name in template.network.states]
    now = _infer(template, counted, template.risk)
    found = []
    for node in dict.fromkeys(open_nodes):
        if node in known:
            continue
        likely = _infer(template, counted, node)
        if not 0 < likely < 1:
            continue
        yes, no = (_infer(template, [*counted, _seen(template, node, state)], template.risk) for state in (1.0, 0.0))
        informed = likely * min(cost, loss * yes) + (1 - likely) * min(cost, loss * no)
        saves = max(0.0, min(cost, loss * now) - informed)
        found.append(NextCheck(template.rule.node(node), saves, likely, yes, no))
    return sorted(found, key=lambda check: (-check.saves, check.node))


def _infer(template: Template, statements: Sequence[Statement], node: str) -> float:
    likelihoods, priors = evidence_arrays(template, statements, [tuple(range(len(statements)))])
    return float(template.tree.infer([node], likelihoods, priors).marginals[node][1, 0])


def _seen(template: Template, node: str, state: float) -> Statement:
    """Return the statement that a node was seen, as a likelihood, so that a prior already set stays."""
    evidence = Evidence(
        node=template.rule.node(node), place="check", kind=EvidenceKind.OBSERVED, value=state, group="check", time_ms=0
    )
    reason = Text(zh=node, en=node)
    vector = (1 - state, state)
    return Statement(evidence.node, node, vector, sets_prior=False, hard=True, reason=reason, evidence=evidence)
