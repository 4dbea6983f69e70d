"""Judged cases of a rule, with what was there at their time: verdicts on warnings, and audits of quiet cases.

The verdicts on one incident are one storm. If not every warning got a verdict, those that did speak for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from contracts import (
    Answer,
    ConfigurationError,
    DataError,
    Episode,
    Layer,
    Problem,
    UtcTime,
    Verdict,
    format_utc,
    read_rows,
    to_ms,
)
from knowledge_graph import CompiledRules, Rule, Verdicts
from knowledge_graph.lessons import Cases

from .rule_backtest import Past, sweep_states

_CAME = {Answer.CONFIRMED: True, Answer.FALSE: False, Answer.BENIGN: False, Answer.WRONG_PLACE: False}
"""What an answer says of the risk at the place; a duplicate or an unknown says nothing."""


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """One case that somebody looked at.

    Attributes:
        risk: id of the rule.
        place: id of the place.
        time_ms: the instant.
        came: whether the risk came within the horizon.
        looked: probability with which it was looked at.
        storm: what event it belongs to.
    """

    risk: str
    place: str
    time_ms: int
    came: bool
    looked: float
    storm: str


class _AuditRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    risk: str
    place: str
    time: UtcTime
    looked: float = Field(gt=0, le=1)
    came: Literal["yes", "no"] | None = None


def read_audits(path: Path, rules: CompiledRules) -> list[JudgedCase]:
    """Read audited cases: a CSV with risk, place, time, looked and came (yes or no); rows without an answer wait.

    Raises:
        ConfigurationError: listing every row that is wrong.
    """
    problems: list[Problem] = []
    rows = read_rows(path, _AuditRow.model_validate, problems)
    found = []
    for number, row in enumerate(rows, start=2):
        template = rules.templates.get(row.risk)
        if template is None or row.place not in template.rule.places:
            message = f"no rule {row.risk!r} applies to {row.place!r}."
            problems.append(Problem(f"{path.name}:{number}", message, "Name a rule and a place it applies to."))
        elif row.came is not None:
            storm = f"{row.risk}@{row.place}@{row.time}"
            found.append(JudgedCase(row.risk, row.place, to_ms(row.time), row.came == "yes", row.looked, storm))
    if problems:
        title = f"The audits {path}"
        raise ConfigurationError(title, problems)
    return found


def cases_of_verdicts(episodes: Sequence[Episode], verdicts: Mapping[str, Verdict]) -> list[JudgedCase]:
    """Return a case for each answered warning of the experience layer.

    Args:
        episodes: warnings, answered or not.
        verdicts: id of an episode → its last verdict.
    """
    own = [one for one in episodes if one.layer is Layer.EXPERIENCE]
    answered = [one for one in own if one.id in verdicts and verdicts[one.id].answer in _CAME]
    share = {risk: _count(answered, risk) / _count(own, risk) for risk in {one.risk for one in answered}}
    return [
        JudgedCase(
            one.risk,
            one.place,
            to_ms(one.opened_at),
            _CAME[verdicts[one.id].answer],
            share[one.risk],
            one.incident or one.id,
        )
        for one in answered
    ]


def gather_cases(rules: CompiledRules, risk: str, past: Past, judged: Iterable[JudgedCase]) -> Cases:
    """Return a rule's cases with what was there at their time.

    A cause that was seen is there, one seen not to be is not, one that nobody saw is there with its prior, and one
    that is forecast with the probability of the forecast. A case at which an inhibitor was seen is left out: what did
    not come then says nothing of the causes.

    Raises:
        DataError: if a case lies outside the past.
    """
    own = [case for case in judged if case.risk == risk]
    rule = rules.templates[risk].rule
    columns = {place: column for column, place in enumerate(rule.places)}
    steps = np.searchsorted(past.times_ms, [case.time_ms for case in own])
    for case, step in zip(own, steps.tolist(), strict=True):
        if step >= past.times_ms.size or past.times_ms[step] != case.time_ms:
            message = (
                f"The case of {risk!r} at {format_utc(case.time_ms)} is at no instant of the past. Give its readings."
            )
            raise DataError(message)
    said, evidence = sweep_states(rules, risk, past, steps, np.array([columns[case.place] for case in own], np.intp))
    stopped = np.zeros(len(own), bool)
    for name in rule.words.inhibits:
        if name in said:
            stopped |= said[name] == 1
    present = {name: _present(rules, rule, name, said, evidence)[~stopped] for name in rule.words.causes}
    kept = [case for case, left_out in zip(own, stopped.tolist(), strict=True) if not left_out]
    storms = {storm: number for number, storm in enumerate(dict.fromkeys(case.storm for case in kept))}
    verdicts = Verdicts(
        present,
        np.array([case.came for case in kept], bool),
        np.array([case.looked for case in kept], np.float64),
        np.array([storms[case.storm] for case in kept], np.int64),
    )
    seen = {
        name: said[name][~stopped]
        for name, entry in rule.words.signs.items()
        if name in said and entry.seen is not None and entry.of in (None, rule.words.risk)
    }
    return Cases(np.array([case.time_ms for case in kept], np.int64), verdicts, seen)


def _present(
    rules: CompiledRules,
    rule: Rule,
    name: str,
    said: Mapping[str, NDArray[np.int8]],
    evidence: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    prior = rules.templates[rule.id].priors[name]
    if name in evidence:
        return np.where(np.isfinite(evidence[name]), evidence[name], prior)
    if name in said:
        return np.select([said[name] == 1, said[name] == 0], [1.0, 0.0], prior)
    size = next(iter(said.values())).size if said else 0
    return np.full(size, prior)


def _count(episodes: Iterable[Episode], risk: str) -> int:
    return sum(one.risk == risk for one in episodes)
