"""The past that a pack's rules are judged on, and the figures as tables and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from contracts import InboxItem, Pack, PlaceTree, to_ms
from early_warning import WarningPolicy
from early_warning.scoring import Event, Interval, RiskScore, ScoringPlan
from gpu import open_session
from knowledge_graph import CompiledRules, RuleSet, compile_rules, load_procedures, load_rules
from operations import LocalModels, configure, read_policy
from operations.rule_backtest import Past
from operations.rule_judgement import RiskChange, RuleJudgement, judge_rules
from operations.rule_past import read_past, record_past
from store import Store

from .workspace import Workspace

READ_ITEMS = 5_000
HOUR_S = 3600
Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class RulePast:
    """Everything that a backtest of one pack needs.

    Attributes:
        rules: compiled against the signs and places that the past is of.
        places: the tree.
        policy: of the engine.
        past: what was known.
    """

    rules: CompiledRules
    places: PlaceTree
    policy: WarningPolicy
    past: Past


class PastSource(Protocol):
    """Where a past comes from; asked again for other rules, which may want other evidence."""

    def find(self, rules: CompiledRules | None = None) -> RulePast:
        """Return the past of the pack's own rules, or of others over the same instants."""


class FilePast:
    """The past that files tell of a pack's own signs and places.

    Args:
        pack: the pack.
        files: panels of readings and archived evidence.
    """

    def __init__(self, pack: Pack, files: Sequence[Path]) -> None:
        self._pack = pack
        self._files = files
        self._times_ms: NDArray[np.int64] | None = None

    def find(self, rules: CompiledRules | None = None) -> RulePast:
        """Read the files."""
        chosen = rules or compile_rules(load_pack_ruleset(self._pack))
        past = read_past(self._files, chosen, self._times_ms)
        self._times_ms = past.times_ms
        return RulePast(chosen, self._pack.places, read_policy([self._pack.folder]), past)


class InboxPast:
    """The past as it came through the platform's inbox, with the present champions answering.

    Args:
        workspace: of the platform.
        pack: the pack.
        report: told how far it is.
    """

    def __init__(self, workspace: Workspace, pack: Pack, report: Report) -> None:
        self._workspace = workspace
        self._pack = pack
        self._report = report

    def find(self, rules: CompiledRules | None = None) -> RulePast:
        """Replay the inbox."""
        return _replay(self._workspace, self._pack, self._report, rules)


def choose_past(workspace: Workspace, pack: Pack, readings: Sequence[Path] | None, report: Report) -> PastSource:
    """Return files as the past where some are given, else the inbox."""
    return FilePast(pack, readings) if readings else InboxPast(workspace, pack, report)


def _replay(workspace: Workspace, pack: Pack, report: Report, rules: CompiledRules | None) -> RulePast:
    store = workspace.store
    configuration = configure(store, [pack.folder])
    if rules is not None:
        configuration = replace(configuration, rules={pack.header.id: rules})
    champions = {name: entry.manifest for name, entry in store.ledger.champions().items()}
    models = {assignment.model for assignment in configuration.assignments.values()}
    sessions = {
        name: (open_session(workspace.releases.path(champions[name].sha256)), champions[name].version)
        for name in sorted(models)
    }
    last = max(1, store.inbox.last_sequence())
    past = record_past(
        configuration,
        pack.header.id,
        _items(store),
        LocalModels(sessions),
        lambda taken: report("replaying the inbox", taken / last),
    )
    return RulePast(configuration.rules[pack.header.id], configuration.places, configuration.policy, past)


def judge_past(known: RulePast, events: Sequence[Event] | None, plan: ScoringPlan) -> RuleJudgement:
    """Backtest and score; events of risks that these rules do not hold are left out, None says nobody knows any."""
    own = None if events is None else [event for event in events if event.risk in known.rules.templates]
    return judge_rules(known.rules, known.places, known.past, own, policy=known.policy, plan=plan)


def load_pack_ruleset(pack: Pack, like: RuleSet | None = None) -> RuleSet:
    """Read a pack's rules, against its own signs and places or against those of another rule set."""
    procedures = load_procedures(pack.procedures)
    signs, places = (pack.signs, pack.places) if like is None else (like.signs, like.places)
    return load_rules(pack.rules, signs, places, procedures, timezone=pack.header.timezone)


def decide_from_ms(policy: WarningPolicy, since_ms: int | None) -> int | None:
    """Return the instant that judging begins at: the later of the policy's and the one asked for."""
    asked = [since_ms] if since_ms is not None else []
    told = [to_ms(policy.decide_from)] if policy.decide_from is not None else []
    return max([*asked, *told], default=None)


def figures_table(judged: RuleJudgement, title: str) -> Table:
    """Return the figures for people, one column a risk."""
    table = Table("figure", *judged.scores, title=title, title_justify="left")
    columns = [_figures(score) for score in judged.scores.values()]
    for name in columns[0] if columns else ():
        table.add_row(name, *(column[name] for column in columns))
    table.caption = "[5 % to 95 %] of pasts redrawn in blocks of a week; value and lift at the lowest level"
    return table


def changes_table(changes: Mapping[str, RiskChange]) -> Table:
    """Return what another version changes, one column a risk."""
    table = Table("against the other rules", *changes)
    rows = {
        "cases that change level": [f"{one.changed} of {one.cases}" for one in changes.values()],
        "episodes": [f"{one.episodes_before} → {one.episodes_after}" for one in changes.values()],
        "of these the same": [str(one.same) for one in changes.values()],
        "costs more, losses per case": [_interval(one.cost, "+.2e") for one in changes.values()],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def as_document(judged: RuleJudgement, changes: Mapping[str, RiskChange] | None = None) -> dict[str, Any]:
    """Return figures as plain data."""
    return {
        "instants": int(judged.found.times_ms.size),
        "places": len(judged.rules.places),
        "risks": {risk: asdict(score) for risk, score in judged.scores.items()},
        "changes": None if changes is None else {risk: asdict(one) for risk, one in changes.items()},
    }


def _figures(score: RiskScore) -> dict[str, str]:
    episodes, told = score.episodes, score.probability
    lowest = next(iter(score.value.values()), Interval(None, None, None))
    return {
        "events": str(episodes.events),
        "episodes": str(episodes.episodes),
        "POD": _interval(episodes.pod, ".2f"),
        "POD before onset": _interval(episodes.pod_ahead, ".2f"),
        "FAR": _interval(episodes.far, ".2f"),
        "CSI": _interval(episodes.csi, ".2f"),
        "lead, median": "-" if episodes.lead_median_s is None else f"{episodes.lead_median_s / HOUR_S:.1f} h",
        "episodes per operator-hour": f"{episodes.alerts_per_operator_h:.3g}",
        "economic value": _interval(lowest, ".2f"),
        "lift": "-" if score.lift is None else f"{score.lift:.1f}×",
        "base rate of an onset": "-" if told is None else f"{told.base_rate:.2e}",
        "miscalibration (CORP)": "-" if told is None else f"{told.miscalibration:.2e}",
        "resolution (CORP)": "-" if told is None else f"{told.discrimination:.2e}",
        "PR-AUC": "-" if told is None else f"{told.pr_auc:.3f}",
    }


def _interval(one: Interval, style: str) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "-"
    return f"{one.value:{style}} [{one.low:{style}}, {one.high:{style}}]"


def _items(store: Store) -> Iterator[InboxItem]:
    after = 0
    while items := store.inbox.read(after, READ_ITEMS):
        yield from items
        after = items[-1].sequence
