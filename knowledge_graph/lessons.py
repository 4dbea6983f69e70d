"""What judged cases say of a rule's numbers: a proposal for people, never a change.

Counts start from the veteran's own and learn month by month, what was learned fading (:mod:`knowledge_graph.learning`).
Each month is foretold from the months before it, with the learned and with the veteran's numbers, so that a
proposal says what it would have been worth on cases it had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts import DataError, from_ms

from .documents import Location
from .learning import LEAK, Beta, LinkCounts, Verdicts, probabilities
from .network import net_strength
from .ruleset import Rule

MINIMUM_CASES = 20
"""Fewer say nothing that a veteran does not know better."""


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Judged cases of one rule.

    Attributes:
        times_ms: instants, shape ``(cases,)``.
        verdicts: what was there and what came.
        seen: indicator → -1 nothing said, 0 not seen, 1 seen, shape ``(cases,)``.
    """

    times_ms: NDArray[np.int64]
    verdicts: Verdicts
    seen: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CountChange:
    """One frequency that verdicts move.

    Attributes:
        where: in the rule file: ``("leak",)``, ``("causes", "rain")``, ``("signs", "gauge", "seen")``.
        before: share as the file says it.
        yes: proposed, in the file's own reading.
        of: proposed.
    """

    where: Location
    before: float
    yes: float
    of: float

    @property
    def name(self) -> str:
        """What people call it: ``leak``, ``rain``, ``gauge.seen``."""
        return ".".join(str(part) for part in self.where[1:]) or str(self.where[0])

    @property
    def after(self) -> float:
        """The share proposed."""
        return self.yes / self.of


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of one rule, to be reviewed.

    Attributes:
        risk: id of the rule.
        file: its file.
        cases: how many were judged.
        storms: how many events they belong to.
        until: local day of the last case, ``YYYY-MM-DD``.
        changes: of its frequencies.
        brier_before: weighted mean squared error of the veteran's causes and leak on months not yet seen.
        brier_after: that of the numbers learned until then.
    """

    risk: str
    file: str
    cases: int
    storms: int
    until: str
    changes: tuple[CountChange, ...]
    brier_before: float
    brier_after: float

    def edits(self) -> dict[Location, float | str]:
        """Return what to write where in the rule file; see :func:`revise`."""
        found: dict[Location, float | str] = {}
        basis = f"{self.cases} verdicts until {self.until}"
        for one in self.changes:
            found[(*one.where, "yes")], found[(*one.where, "of")] = one.yes, one.of
            found[(*one.where, "basis")] = f"{basis}; before {one.before:.4g}"
        return found


def why_not(rule: Rule) -> str | None:
    """Return why verdicts cannot move a rule's numbers; None where they can."""
    if rule.words.combine != "any":
        return f"its causes combine by {rule.words.combine!r}; only links that each bring the risk alone are learned"
    if any(cause.yes is None for cause in rule.words.causes.values()):
        return "a cause has no frequency of its own"
    return None


def expert_counts(rule: Rule, memory: float = 0.8) -> LinkCounts:
    """Return the veteran's counts of each cause's own share, and of the leak."""
    leak = rule.words.leak
    counts = {LEAK: Beta(leak.yes, leak.of - leak.yes)}
    for name, cause in rule.words.causes.items():
        share = net_strength(cause.rate, leak.rate) if cause.reading == "compound" else cause.rate
        total = cause.of or 0.0
        counts[name] = Beta(share * total, (1 - share) * total)
    return LinkCounts(counts, memory=memory)


def propose(rule: Rule, cases: Cases, memory: float = 0.8) -> Proposal:
    """Return what judged cases say of a rule.

    Args:
        rule: whose numbers can be learned.
        cases: in any order.
        memory: share of what was learned that is left a month later.

    Raises:
        DataError: if the rule's numbers cannot be learned, or there are too few cases.
    """
    reason = why_not(rule)
    count = int(cases.times_ms.size)
    if reason is None and count < MINIMUM_CASES:
        reason = f"only {count} cases were judged; {MINIMUM_CASES} are needed"
    if reason is not None:
        message = f"Nothing is proposed for {rule.id!r}: {reason}."
        raise DataError(message)
    expert = counts = expert_counts(rule, memory)
    months = np.array([f"{from_ms(int(time_ms)):%Y-%m}" for time_ms in cases.times_ms])
    squares: list[NDArray[np.float64]] = []
    for month in sorted(set(months)):
        part = _select(cases.verdicts, months == month)
        told = [probabilities(one.rates(), part.present) for one in (expert, counts)]
        squares.append(np.stack([part.weights(), *(part.weights() * (p - part.came) ** 2 for p in told)]))
        counts = counts.learn(part)
    weight, before, after = np.hstack(squares).sum(axis=1)
    return Proposal(
        risk=rule.id,
        file=rule.file,
        cases=count,
        storms=len(set(cases.verdicts.storm.tolist())),
        until=f"{from_ms(int(cases.times_ms.max())):%Y-%m-%d}",
        changes=(*_changes(rule, counts), *_indicators(rule, cases, months, memory)),
        brier_before=float(before / weight),
        brier_after=float(after / weight),
    )


def _changes(rule: Rule, counts: LinkCounts) -> list[CountChange]:
    leak = counts.believed(LEAK)
    found = [CountChange((LEAK,), rule.words.leak.rate, _rounded(leak.yes), _rounded(leak.yes + leak.no))]
    for name, cause in rule.words.causes.items():
        own = counts.believed(name)
        share = 1 - (1 - own.mean) * (1 - leak.mean) if cause.reading == "compound" else own.mean
        total = own.yes + own.no
        found.append(CountChange(("causes", name), cause.rate, _rounded(share * total), _rounded(total)))
    return found


def _indicators(rule: Rule, cases: Cases, months: NDArray[np.str_], memory: float) -> list[CountChange]:
    """Return how often each indicator is seen with the risk and without it: counts, fading month by month."""
    found = []
    for name, states in cases.seen.items():
        entry = rule.words.signs[name]
        for key, stated, came in (("seen", entry.seen, True), ("otherwise", entry.otherwise, False)):
            if stated is None:
                continue
            added = np.zeros(2)
            for month in sorted(set(months)):
                part, own = _select(cases.verdicts, months == month), states[months == month]
                weights = np.where(part.came == came, part.weights(), 0.0)
                added = memory * added + [weights[own == 1].sum(), weights[own == 0].sum()]
            yes, of = stated.yes + float(added[0]), stated.of + float(added.sum())
            found.append(CountChange(("signs", name, key), stated.rate, _rounded(yes), _rounded(of)))
    return found


def _rounded(count: float) -> float:
    return float(f"{count:.4g}")


def _select(verdicts: Verdicts, chosen: NDArray[np.bool_]) -> Verdicts:
    present: Mapping[str, NDArray[np.float64]] = {name: there[chosen] for name, there in verdicts.present.items()}
    return Verdicts(present, verdicts.came[chosen], verdicts.looked[chosen], verdicts.storm[chosen])
