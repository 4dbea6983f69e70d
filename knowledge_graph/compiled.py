"""A rule set made ready: watches readings, assesses risks, says what models must bring."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from contracts import (
    Direction,
    Evidence,
    Explanation,
    KnowledgeError,
    Layer,
    Level,
    Procedure,
    Text,
)

from .authoring import Status
from .checking import NextCheck, rank_checks
from .facts import Fact
from .reasoning import Judgement, judge
from .ruleset import Rule, RuleSet
from .statements import Statement, statement_of_evidence, statement_of_fact
from .sweep import RuleSweep
from .templates import Template, build_template, group_of
from .watching import PlaceWatch, is_effective, local_date

_EVALUATED = {Status.TRIAL, Status.ACTIVE}


@dataclass(frozen=True, slots=True)
class Binding:
    """Evidence that early warning computes from a model and sends to a node.

    Attributes:
        node: id in the graph.
        risk: id of the rule.
        place: id of the place.
        sign: the sign that is forecast.
        use: ``exceedance``, ``shock``, ``drift`` or ``ratio``.
        direction: which way it harms.
        level: what must be exceeded; None for anomalies.
        horizon_s: how far ahead the forecast counts.
        group: source group.
        shape: of the calibrator from p-value to likelihood ratio.
        cap: the largest likelihood ratio.
    """

    node: str
    risk: str
    place: str
    sign: str
    use: str
    direction: Direction
    level: float | None
    horizon_s: int
    group: str
    shape: float
    cap: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a rule says of one place now.

    Attributes:
        risk: id of the rule.
        place: id of the place.
        layer: statutory or experience.
        title: of the risk, or of the law.
        probability: of an onset within the horizon; None for a law.
        bars: level → probability above which it is reached; empty for a law.
        level: the gravest level reached; None for none.
        explanation: why.
        procedure: what to do, who leads.
        signs: the signs that spoke.
        quiet_s: under the bar for so long before an episode closes.
        cause: what groups episodes into incidents.
        law: the law's name; None for the experience layer.
        citation: where the law stands.
    """

    risk: str
    place: str
    layer: Layer
    title: Text
    probability: float | None
    bars: Mapping[Level, float]
    level: Level | None
    explanation: Explanation
    procedure: Procedure
    signs: tuple[str, ...]
    quiet_s: int
    cause: str
    law: str | None = None
    citation: str = ""


def compile_rules(ruleset: RuleSet) -> CompiledRules:
    """Build and compile every trial and active rule.

    Raises:
        KnowledgeError: if a rule does not fit the treewidth budget.
    """
    return CompiledRules(ruleset)


class CompiledRules:
    """A rule set ready to run. It keeps no state: memory is handed in and out.

    Attributes:
        ruleset: what it was made of.
        places: places that carry a template.
        bindings: evidence that models must bring.
        digest: sha256 of the rules' content; the same rules give the same digest.
    """

    def __init__(self, ruleset: RuleSet) -> None:
        self.ruleset = ruleset
        self._zone = ZoneInfo(ruleset.timezone)
        self._titles = {sign.id: sign.title for sign in ruleset.signs}
        self.templates = {rule.id: build_template(rule) for rule in ruleset.rules if rule.words.status in _EVALUATED}
        self._at: dict[str, list[Template]] = {}
        for template in self.templates.values():
            for place in template.rule.places:
                self._at.setdefault(place, []).append(template)
        self.places = tuple(self._at)
        self.bindings = tuple(
            binding for template in self.templates.values() for binding in _bindings(template.rule, ruleset)
        )
        self._watches = {
            place: PlaceWatch(place, [template.rule for template in templates], ruleset.signs, self._zone)
            for place, templates in self._at.items()
        }
        self.digest = _digest(ruleset)

    def watch(
        self, memory: Mapping[str, Any], place: str, time_ms: int, values: Mapping[str, float]
    ) -> tuple[tuple[Fact, ...], dict[str, Any]]:
        """Run the temporal operators of one place for one instant of event time.

        Args:
            memory: what the last call for this place returned; empty at first. It is not changed.
            place: id of the place.
            time_ms: event time; never before that of the last call.
            values: sign → usable reading of this instant; a missing one is left out.

        Returns:
            What could be decided, and the new memory: plain JSON. Memory of entries that the rules no longer
            hold is dropped; that of entries that stayed is kept, so that a reload loses no timer.

        Raises:
            KnowledgeError: if the place has no rules or time runs backwards.
        """
        watch: PlaceWatch = self._at_place(self._watches, place)
        if time_ms < memory.get("time_ms", time_ms):
            message = f"Event time runs backwards at {place!r}: {time_ms} after {memory['time_ms']}. Watch in order."
            raise KnowledgeError(message)
        facts, entries = watch.watch(memory.get("entries", {}), time_ms, values)
        return tuple(facts), {"time_ms": time_ms, "entries": entries}

    def assess(self, place: str, evidence: Sequence[Evidence] = (), facts: Sequence[Fact] = ()) -> list[Assessment]:
        """Assess every risk of one place.

        Args:
            place: id of the place.
            evidence: what models and people brought; missing is missing.
            facts: what :meth:`watch` found.

        Returns:
            One assessment of the experience layer for each risk, and one for each law, fired (with a level) or not.

        Raises:
            KnowledgeError: if evidence names an unknown node or place, or contradicts itself.
        """
        templates = self._at_place(self._at, place)
        by_rule: dict[str, list[Evidence]] = {template.rule.id: [] for template in templates}
        for item in evidence:
            risk = self._risk_of(item.node, by_rule)
            if item.place != place or risk is None:
                message = (
                    f"Evidence on {item.node!r} at {item.place!r} fits no rule of {place!r}. Use a binding's node."
                )
                raise KnowledgeError(message)
            by_rule[risk].append(item)
        times = [item.time_ms for item in evidence] + [fact.time_ms for fact in facts]
        day = local_date(max(times), self._zone) if times else None
        found: list[Assessment] = []
        for template in templates:
            if day is None or is_effective(template.rule, day):
                own = [fact for fact in facts if fact.risk == template.rule.id]
                found.extend(self._assess_rule(template, place, by_rule[template.rule.id], own))
        return found

    def _assess_rule(
        self, template: Template, place: str, evidence: Sequence[Evidence], facts: Sequence[Fact]
    ) -> list[Assessment]:
        rule = template.rule
        statements = self._statements(template, evidence, facts)
        bars = rule.bars
        judgement = judge(template, statements, min(bars.values()))
        spoke = tuple(sorted({s.evidence.sign for s in statements if s.evidence.sign is not None}))
        experience = Assessment(
            risk=rule.id,
            place=place,
            layer=Layer.EXPERIENCE,
            title=rule.title,
            probability=judgement.probability,
            bars=bars,
            level=level_of(judgement.probability, bars),
            explanation=judgement.explanation,
            procedure=rule.procedure,
            signs=spoke,
            quiet_s=rule.quiet_ms // 1000,
            cause=rule.words.cause or rule.id,
        )
        return [experience, *self._laws(rule, place, facts, judgement)]

    def next_checks(
        self, place: str, risk: str, evidence: Sequence[Evidence] = (), facts: Sequence[Fact] = ()
    ) -> list[NextCheck]:
        """Rank what somebody could go and look at, by what knowing it would save at the rule's lowest level.

        Raises:
            KnowledgeError: if the risk has no rule at the place.
        """
        template = next((found for found in self._at_place(self._at, place) if found.rule.id == risk), None)
        if template is None:
            message = f"No rule {risk!r} applies to {place!r}. Name a risk that is assessed there."
            raise KnowledgeError(message)
        own = [item for item in evidence if item.node.startswith(f"{risk}.")]
        statements = self._statements(template, own, [fact for fact in facts if fact.risk == risk])
        lowest = min(template.rule.words.levels.values(), key=lambda words: words.bar)
        return rank_checks(template, statements, cost=lowest.cost, loss=lowest.loss)

    def sweep(self, risk: str) -> RuleSweep:
        """Return a rule over all its places at once, for backtests.

        Raises:
            KnowledgeError: if there is no such rule, or it has too many entries.
        """
        if risk not in self.templates:
            known = ", ".join(sorted(self.templates)) or "none"
            message = f"No rule {risk!r} is evaluated. Rules that are: {known}."
            raise KnowledgeError(message)
        return RuleSweep(self.templates[risk], self.ruleset)

    def _statements(self, template: Template, evidence: Sequence[Evidence], facts: Sequence[Fact]) -> list[Statement]:
        return [
            *(found for fact in facts if (found := statement_of_fact(template, fact)) is not None),
            *(statement_of_evidence(template, item, self._titles) for item in evidence),
        ]

    @staticmethod
    def _laws(rule: Rule, place: str, facts: Sequence[Fact], judgement: Judgement) -> list[Assessment]:
        """Return one assessment for each law; it fires when any of its conditions holds, whatever is probable."""
        found = []
        for law in rule.law_names:
            fired = [fact for fact in facts if fact.law == law and fact.state]
            words = rule.words.laws.get(law)
            trace = tuple(f"{fact.node}: {fact.reason.en}" for fact in fired)
            found.append(
                Assessment(
                    risk=rule.id,
                    place=place,
                    layer=Layer.STATUTORY,
                    title=(words.title if words is not None else None) or rule.title,
                    probability=None,
                    bars={},
                    level=(words.level if words is not None else Level.RED) if fired else None,
                    explanation=judgement.explanation.model_copy(update={"trace": trace}),
                    procedure=rule.laws.get(law, rule.procedure),
                    signs=tuple(sorted({fact.sign for fact in fired if fact.sign is not None})),
                    quiet_s=rule.quiet_ms // 1000,
                    cause=rule.words.cause or rule.id,
                    law=law,
                    citation=words.cite if words is not None else "",
                )
            )
        return found

    @staticmethod
    def _risk_of(node: str, rules: Mapping[str, Any]) -> str | None:
        return max((rule for rule in rules if node.startswith(f"{rule}.")), key=len, default=None)

    @staticmethod
    def _at_place(table: Mapping[str, Any], place: str) -> Any:
        if place not in table:
            message = f"No rule applies to the place {place!r}. Places with rules: {', '.join(list(table)[:5])}."
            raise KnowledgeError(message)
        return table[place]


def level_of(probability: float, bars: Mapping[Level, float]) -> Level | None:
    """Return the gravest level whose bar the probability exceeds."""
    reached = [level for level, bar in bars.items() if probability > bar]
    return max(reached, key=lambda level: level.rank, default=None)


def _bindings(rule: Rule, ruleset: RuleSet) -> list[Binding]:
    found = []
    for name, brought in rule.brought.items():
        entry = rule.words.signs[name]
        for place in rule.places:
            sign_id = rule.signs.get((place, name))
            if sign_id is None:
                continue
            found.append(
                Binding(
                    node=rule.node(name),
                    risk=rule.id,
                    place=place,
                    sign=sign_id,
                    use="exceedance" if brought.use == "prior" else brought.use,
                    direction=brought.direction or ruleset.signs[sign_id].harmful,
                    level=brought.level,
                    horizon_s=brought.horizon_ms // 1000,
                    group=group_of(entry, sign_id, rule.node(name)),
                    shape=entry.shape,
                    cap=entry.cap,
                )
            )
    return found


def _digest(ruleset: RuleSet) -> str:
    digest = hashlib.sha256(ruleset.timezone.encode())
    for rule in ruleset.rules:
        digest.update(rule.words.model_dump_json().encode())
        digest.update(repr((rule.places, sorted(rule.signs.items()), sorted(rule.thresholds.items()))).encode())
        digest.update(rule.procedure.model_dump_json().encode())
    return digest.hexdigest()
