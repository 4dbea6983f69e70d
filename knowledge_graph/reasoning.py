"""How likely a risk is and why: exact inference over statements, explained by weights that sum up."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts import Contribution, Explanation, KnowledgeError, Text

from .statements import Ledger, Statement
from .templates import Template

MAXIMUM_STATEMENTS = 200
_SOURCES_AMONG = 6
_MAXIMUM_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Judgement:
    """A risk's probability and its reasons."""

    probability: float
    explanation: Explanation


def judge(template: Template, statements: Sequence[Statement], bar: float) -> Judgement:
    """Infer a risk from statements and explain it.

    Args:
        template: the risk's graph.
        statements: everything said about it at one place.
        bar: probability above which the first level is reached; for the counterfactual.

    Raises:
        KnowledgeError: if there are too many statements or they cannot all be true.
    """
    if len(statements) > MAXIMUM_STATEMENTS:
        message = f"{len(statements)} statements about {template.rule.id!r} at once; the bound is {MAXIMUM_STATEMENTS}."
        raise KnowledgeError(message)
    alone = _log_odds(template, statements, [(), *((index,) for index in range(len(statements)))])
    ledger = Ledger(statements, alone[1:] - alone[0])
    counted = ledger.counted()
    prefixes = [tuple(counted[:length]) for length in range(1, len(counted) + 1)]
    without = [tuple(ledger.counted([index])) for index in counted]
    found = _log_odds(template, statements, [*prefixes, *without])
    steps = np.concatenate([alone[:1], found[: len(counted)]])
    left_out = probability_of(found[len(counted) :])
    contributions = tuple(
        Contribution(
            node=statements[index].node,
            reason=statements[index].reason,
            weight=float(steps[position + 1] - steps[position]),
            without=float(left_out[position]),
            evidence=statements[index].evidence,
        )
        for position, index in enumerate(counted)
    )
    probability = float(probability_of(steps[-1:])[0])
    explanation = Explanation(
        prior=float(probability_of(steps[:1])[0]),
        posterior=probability,
        contributions=contributions,
        counterfactual=_counterfactual(template, ledger, counted, bar) if probability > bar else None,
        trace=tuple(ledger.trace()),
    )
    return Judgement(probability, explanation)


def counted_statements(template: Template, statements: Sequence[Statement]) -> list[int]:
    """Return the indices of the statements that count, strongest first."""
    alone = _log_odds(template, statements, [(), *((index,) for index in range(len(statements)))])
    return Ledger(statements, alone[1:] - alone[0]).counted()


def evidence_arrays(
    template: Template, statements: Sequence[Statement], rows: Sequence[tuple[int, ...]]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return likelihoods and priors by node for several selections of statements, one column each."""
    likelihoods: dict[str, NDArray[np.float64]] = {}
    priors: dict[str, NDArray[np.float64]] = {}
    for row, selection in enumerate(rows):
        for index in sorted(selection):  # one order of multiplying, so that the same statements give the same bits
            statement = statements[index]
            vector = np.asarray(statement.vector)
            if statement.sets_prior:
                default = (1 - template.priors[statement.target], template.priors[statement.target])
                array = priors.setdefault(statement.target, np.tile(np.asarray(default)[:, None], (1, len(rows))))
                array[:, row] = vector
            else:
                array = likelihoods.setdefault(statement.target, np.ones((vector.size, len(rows))))
                array[:, row] *= vector
    return likelihoods, priors


def _log_odds(
    template: Template, statements: Sequence[Statement], rows: Sequence[tuple[int, ...]]
) -> NDArray[np.float64]:
    """Return the risk's log-odds for each selection of statements, in one batch."""
    likelihoods, priors = evidence_arrays(template, statements, rows)
    log_odds, possible = template.log_odds(likelihoods, priors, len(rows))
    if not possible.all():
        worst = max((row for row, fine in zip(rows, possible, strict=True) if not fine), key=len)
        nodes = ", ".join(sorted({statements[index].node for index in worst}))
        message = f"The evidence on {nodes} cannot all be true in {template.rule.id!r}. Check which of them is wrong."
        raise KnowledgeError(message)
    return log_odds


def log_odds_of(
    template: Template,
    statements: Sequence[Statement],
    vectors: Sequence[NDArray[np.float64]],
    selection: Sequence[int],
    cases: int,
) -> NDArray[np.float64]:
    """Return the risk's log-odds of many cases in which the same statements count.

    Args:
        template: the risk's graph.
        statements: what each statement bears on, and how.
        vectors: of each statement, shape ``(states, cases)``, or ``(states, 1)`` where all cases say the same.
        selection: the statements that count.
        cases: how many.

    Raises:
        KnowledgeError: if they cannot all be true.
    """
    likelihoods: dict[str, NDArray[np.float64]] = {}
    priors: dict[str, NDArray[np.float64]] = {}
    for index in sorted(selection):
        target, vector = statements[index].target, vectors[index]
        if statements[index].sets_prior:
            priors[target] = vector
        else:
            likelihoods[target] = likelihoods[target] * vector if target in likelihoods else vector
    log_odds, possible = template.log_odds(likelihoods, priors, cases)
    if not possible.all():
        nodes = ", ".join(sorted({statements[index].node for index in selection}))
        message = f"The evidence on {nodes} cannot all be true in {template.rule.id!r}. Check which of them is wrong."
        raise KnowledgeError(message)
    return log_odds


def probability_of(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of log-odds."""
    return np.asarray(np.exp(-np.logaddexp(0, -log_odds)))


def _counterfactual(template: Template, ledger: Ledger, counted: Sequence[int], bar: float) -> Text | None:
    """Name the fewest statements without which no level had been reached.

    A statement that is left out lets the next of its source step in, so that this agrees with ``without``.
    """
    few = counted[:_SOURCES_AMONG]
    for size in range(1, len(few) + 1):
        found = [
            quiet
            for sources in itertools.combinations(few, size)
            if (quiet := _silence(template, ledger, sources, bar)) is not None
        ]
        if found:
            probability, removed = min(found, key=lambda pair: (len(pair[1]), -pair[0]))
            reasons = [ledger.statements[index].reason for index in removed]
            zh, en = "」和「".join(text.zh for text in reasons), " and ".join(f"“{text.en}”" for text in reasons)
            return Text(
                zh=f"若没有「{zh}」，概率为 {probability:.1%}，不会预警"[:_MAXIMUM_TEXT],
                en=f"Without {en} the probability would be {probability:.1%}: no warning"[:_MAXIMUM_TEXT],
            )
    return None


def _silence(
    template: Template, ledger: Ledger, sources: Sequence[int], bar: float
) -> tuple[float, tuple[int, ...]] | None:
    """Leave out what these sources say, strongest first, until the bar is not reached; None if that never comes."""
    own = set(ledger.of_sources(sources))
    removed: list[int] = []
    while True:
        counted = ledger.counted(removed)
        probability = float(probability_of(_log_odds(template, ledger.statements, [tuple(counted)]))[0])
        if probability <= bar:
            return probability, tuple(removed)
        remaining = [index for index in counted if index in own]
        if not remaining:
            return None
        removed.append(remaining[0])
