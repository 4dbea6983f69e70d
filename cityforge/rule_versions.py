"""A pack's rules as versions: bundled, judged by gates, registered beside the models.

The gates: every file is right and fits the treewidth budget; the rules' own tests pass; those tests notice nine of ten
mutations; and the past costs no more than with the rules that stand, or than silence where none stand yet. What was
not measured does not pass; promoting it then takes an override with its reason.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts import GateResult, Pack, Task
from early_warning.scoring import Event, Interval, ScoringPlan
from knowledge_graph import CompiledRules, RuleBundle, compile_rules, run_mutations, run_rule_tests
from operations.rule_judgement import RuleJudgement, extra_costs
from registry import ManifestDraft, Version, at_least, at_most

from .rule_pasts import PastSource, judge_past
from .workspace import Workspace

EXPERIMENT = "rules"
MINIMUM_MUTATION_SCORE = 0.9


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule set is judged by; without events its past cannot be.

    Attributes:
        source: of the past.
        events: what really happened.
        plan: how to score.
    """

    source: PastSource
    events: Sequence[Event]
    plan: ScoringPlan


def rules_name(pack_id: str) -> str:
    """Return the registered name of a pack's rules."""
    return f"{pack_id}.rules"


def bundle_pack(pack: Pack) -> RuleBundle:
    """Bundle a pack's rules and procedures."""
    return RuleBundle.of_folder(pack.header.id, pack.rules, pack.procedures, pack.header.timezone)


def standing_rules(workspace: Workspace, pack: Pack, like: CompiledRules) -> CompiledRules | None:
    """Return the promoted rules of a pack, read against the signs and places of others; None where none are."""
    entry = workspace.store.ledger.rule_sets().get(rules_name(pack.header.id))
    if entry is None:
        return None
    content = workspace.releases.path(entry.manifest.sha256, Task.RULES).read_bytes()
    return compile_rules(RuleBundle.parse(content).load(like.ruleset.signs, like.ruleset.places))


def register_rules(workspace: Workspace, pack: Pack, trial: Trial | None) -> Version:
    """Judge a pack's rules and register them as a version.

    Raises:
        ConfigurationError: listing every problem of the rules.
        StoreError: if MLflow cannot be written to.
    """
    bundle = bundle_pack(pack)
    ruleset = bundle.load(pack.signs, pack.places)
    rules = compile_rules(ruleset)
    gates = [_validation(rules), *_own_gates(rules)]
    costs, judged = _try(workspace, pack, trial)
    gates.append(no_worse(costs))
    metrics = {f"extra_cost.{risk}": one.value for risk, one in costs.items() if one.value is not None}
    draft = ManifestDraft(
        task=Task.RULES,
        metadata={"pack": pack.header.id, "digest": rules.digest, "risks": list(rules.templates)},
        metrics={"mutation_score": next(g.value or 0.0 for g in gates if g.name == "mutation_score"), **metrics},
    )
    parameters = {"pack": pack.header.id, "rules": len(rules.templates), "places": len(rules.places)}
    with (
        workspace.registry.run(EXPERIMENT, rules_name(pack.header.id), parameters=parameters) as run,
        tempfile.TemporaryDirectory(prefix="cityforge-") as scratch,
    ):
        file = Path(scratch, "rules.json")
        file.write_bytes(bundle.to_bytes())
        run.log_artifact(file)
        if judged is not None:
            run.log_metrics(_figures(judged))
        return workspace.registry.register(
            rules_name(pack.header.id), file, draft, gates, run, fingerprint=bundle.sha256
        )


def no_worse(costs: Mapping[str, Interval]) -> GateResult:
    """Return the gate on the past: no risk may cost more than with the rules that stand."""
    known = {risk: one.value for risk, one in costs.items() if one.value is not None}
    name, what = "backtest_no_worse", "losses per case more than the rules that stand, the worst risk"
    if not known or len(known) < len(costs):
        return at_most(name, None, 0.0, f"{what}; give readings and events")
    worst = max(known, key=lambda risk: known[risk])
    return at_most(name, known[worst], 0.0, f"{what} ({worst})")


def _try(workspace: Workspace, pack: Pack, trial: Trial | None) -> tuple[dict[str, Interval], RuleJudgement | None]:
    if trial is None:
        return {}, None
    known = trial.source.find()
    judged = judge_past(known, trial.events, trial.plan)
    standing = standing_rules(workspace, pack, known.rules)
    before = None if standing is None else judge_past(trial.source.find(standing), trial.events, trial.plan)
    return extra_costs(before, judged, trial.events, trial.plan), judged


def _validation(rules: CompiledRules) -> GateResult:
    what = f"problems in {len(rules.templates)} rules; all compile within the treewidth budget"
    return at_most("validation", 0.0, 0.0, what)


def _own_gates(rules: CompiledRules) -> list[GateResult]:
    results = run_rule_tests(rules.ruleset).results
    passed = sum(result.passed for result in results) / len(results) if results else None
    mutations = run_mutations(rules.ruleset)
    return [
        at_least("own_tests", passed, 1.0, f"is the share of the rules' own {len(results)} tests that pass"),
        at_least(
            "mutation_score",
            mutations.score if mutations.mutants else None,
            MINIMUM_MUTATION_SCORE,
            f"is the share of {len(mutations.mutants)} mutations that the rules' own tests notice",
        ),
    ]


def _figures(judged: RuleJudgement) -> dict[str, float]:
    found = {}
    for risk, score in judged.scores.items():
        for name in ("pod", "far", "csi"):
            value = getattr(score.episodes, name).value
            if value is not None:
                found[f"{name}.{risk}"] = value
        found[f"episodes.{risk}"] = float(score.episodes.episodes)
    return found
