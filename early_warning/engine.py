"""The engine: inbox items in, episodes out. Pure: no clock, no I/O, the same items give the same episodes.

    for item in items:
        engine.accept(item)
        for instant in engine.due():
            outcome = engine.decide(instant, ask(engine.prepare(instant)))

Everything that the future depends on is in its state, which is JSON under a few dozen keys: ``clock``, ``heard/<id>``,
``judged/<id>``, ``calibration/<id>``, ``rules/<pack>/<place>``, ``episode/<risk>@<place>``, ``incident/<id>``,
``budget``. An outcome carries the keys that changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import (
    Episode,
    Evidence,
    EvidenceKind,
    Forecast,
    ForecastSpec,
    InboxItem,
    InboxKind,
    Incident,
    Layer,
    Level,
    OutboxMessage,
    PlaceTree,
    SignCatalogue,
    Status,
    Verdict,
    calendar_features,
    to_ms,
)
from knowledge_graph import Assessment, CompiledRules, Fact

from .calibration import calibration_key
from .channel import MS, Channel, Issued
from .desk import Changes, Desk
from .episodes import Ruling
from .evidence import assemble
from .health import judge_models, judge_sources
from .policy import WarningPolicy
from .watermarks import CLOCK_KEY, Watermarks


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which model forecasts a sign.

    Attributes:
        model: registered name.
        spec: what it needs to be asked.
    """

    model: str
    spec: ForecastSpec


@dataclass(frozen=True, slots=True)
class WarningConfiguration:
    """Everything that the engine is told beforehand.

    Attributes:
        signs: the catalogue.
        places: the place tree.
        rules: compiled rules by the id of their pack.
        assignments: the forecaster of each sign that has one.
        policy: every choice.
    """

    signs: SignCatalogue
    places: PlaceTree
    rules: Mapping[str, CompiledRules] = field(default_factory=dict)
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    policy: WarningPolicy = field(default_factory=WarningPolicy)


@dataclass(frozen=True, slots=True, eq=False)
class ForecastRequest:
    """One sign to be forecast at an instant.

    Attributes:
        sign: id of the sign.
        model: registered name of its forecaster.
        spec: what the forecaster needs and gives.
        origin_ms: the instant; the context ends there.
        context: raw units, NaN where missing or masked, shape ``(time,)``.
        calendar: features over context and horizon, shape ``(time, feature)``; None where the model takes none.
    """

    sign: str
    model: str
    spec: ForecastSpec
    origin_ms: int
    context: NDArray[np.float32]
    calendar: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What changed; commit it whole or not at all.

    Attributes:
        episodes: new and changed episodes, as they stand.
        incidents: new and changed incidents.
        outbox: messages to send.
        state: changed keys of the state; None for a key that is gone.
    """

    episodes: tuple[Episode, ...]
    incidents: tuple[Incident, ...]
    outbox: tuple[OutboxMessage, ...]
    state: dict[str, Any]


class WarningEngine:
    """The engine of one shard.

    Args:
        configuration: see :class:`WarningConfiguration`.
        state: every key that outcomes have given so far, the newest value of each; empty to begin.
    """

    def __init__(self, configuration: WarningConfiguration, state: Mapping[str, Any] | None = None) -> None:
        self._configuration = configuration
        policy = configuration.policy
        begin = policy.rehearse_from or policy.decide_from
        signs = {sign.id: sign for sign in configuration.signs}
        self._watermarks = Watermarks(signs, None if begin is None else to_ms(begin))
        self._decide_from_ms = None if policy.decide_from is None else to_ms(policy.decide_from)
        self._desk = Desk(configuration.places, policy)
        self._channels: dict[str, Channel] = {}
        self._memory: dict[str, dict[str, Any]] = {}
        self._ignored = 0
        self._asked: dict[str, list[str]] = {}
        self._heard: set[str] = set()
        self._touched: set[str] = set()
        self._ruled = _ruled(configuration.rules)
        if state:
            self._restore(state)

    def replace_rules(self, rules: Mapping[str, CompiledRules]) -> None:
        """Go on with other rules from the next instant, without a pause.

        The memory of every entry that keeps its name stays, so that no timer starts again; warnings of risks that the
        new rules do not hold are closed at that instant.

        Args:
            rules: compiled rules by the id of their pack, against the same signs and places.
        """
        self._configuration = replace(self._configuration, rules=rules)
        self._ruled = _ruled(rules)

    def _restore(self, state: Mapping[str, Any]) -> None:
        for key in sorted(state):
            kind, _, name = key.partition("/")
            if kind == "heard" and name in self._configuration.signs:
                self._channel(name).restore_heard(state[key])
            elif kind == "judged" and name in self._configuration.signs:
                self._channel(name).restore_judged(state[key], state.get(calibration_key(name)))
            elif kind == "rules":
                self._memory[name] = state[key]
            elif kind == CLOCK_KEY:
                self._watermarks.restore(state[key])
                self._ignored = state[key]["ignored"]
        self._desk.restore(dict(state))
        self._touched.clear()

    def _channel(self, sign: str) -> Channel:
        if sign not in self._channels:
            assigned = self._configuration.assignments.get(sign)
            spec = None if assigned is None else assigned.spec
            self._channels[sign] = Channel(self._configuration.signs[sign], spec, self._configuration.policy)
        return self._channels[sign]

    def accept(self, item: InboxItem) -> None:
        """Take in the next inbox item. Signs of other shards and times beyond belief are passed over."""
        if item.kind is InboxKind.TICK:
            self._watermarks.tick(item.time_ms)
        elif item.kind is InboxKind.VERDICT and item.payload is not None:
            self._answer(Verdict.model_validate(item.payload), item.time_ms)
        elif item.sign is not None and item.sign in self._configuration.signs:
            self._read(item, item.sign)

    def _read(self, item: InboxItem, sign: str) -> None:
        if item.time_ms > item.received_ms + self._configuration.policy.future_s * MS:
            self._ignored += 1
            return
        decided_ms = self._watermarks.decided_ms if self._watermarks.started else None
        channel = self._channel(sign)
        self._watermarks.hear(channel.sign, item.time_ms)
        channel.accept(item.time_ms, item.value, item.quality, decided_ms=decided_ms)
        self._heard.add(sign)

    def _answer(self, verdict: Verdict, time_ms: int) -> None:
        episode = self._desk.answer(verdict)
        if episode is None or episode.status is not Status.DISMISSED:
            return
        instant_ms = self._watermarks.decided_ms or time_ms
        for sign in episode.signs:
            if sign in self._channels:
                self._channels[sign].accept_as_normal(instant_ms)
                self._touched.add(sign)

    def due(self) -> tuple[int, ...]:
        """Return the instants that may be decided now, in order: decide each before the next item is accepted."""
        return self._watermarks.due()

    def prepare(self, instant_ms: int) -> list[ForecastRequest]:
        """Judge what is new at an instant and return the forecasts that deciding it takes."""
        warned = self._desk.open_signs()
        requests = []
        for sign, channel in sorted(self._channels.items()):
            if not channel.is_due(instant_ms):
                continue
            channel.screen(instant_ms, warned=sign in warned)
            request = self._request(sign, channel, instant_ms)
            if request is not None:
                requests.append(request)
        self._asked = {}
        for request in requests:
            self._asked.setdefault(request.model, []).append(request.sign)
        return requests

    def _request(self, sign: str, channel: Channel, instant_ms: int) -> ForecastRequest | None:
        assigned = self._configuration.assignments.get(sign)
        if assigned is None or channel.is_blind(instant_ms):
            return None
        spec = assigned.spec
        context = channel.history.window(instant_ms // channel.interval_ms, spec.context)
        if np.count_nonzero(np.isfinite(context)) < spec.minimum_observed:
            return None
        calendar = None
        if spec.calendar is not None:
            steps = np.arange(1 - spec.context, spec.horizon + 1, dtype=np.int64)
            calendar = calendar_features(instant_ms + steps * channel.interval_ms, spec.calendar)
        return ForecastRequest(sign, assigned.model, spec, instant_ms, context, calendar)

    def decide(self, instant_ms: int, forecasts: Mapping[str, Forecast]) -> Outcome:
        """Decide an instant that was prepared.

        Args:
            instant_ms: the first of the instants due.
            forecasts: raw forecasts by sign; a sign that is missing counts as not answered by its model.
        """
        issued = self._learn_and_issue(instant_ms, forecasts)
        facts = self._watch(instant_ms)
        if self._decide_from_ms is None or instant_ms >= self._decide_from_ms:
            for ruling in self._rulings(instant_ms, issued, facts, forecasts):
                self._desk.rule(ruling, instant_ms)
            self._desk.retire(self._ruled, instant_ms)
        for sign, channel in self._channels.items():
            if channel.is_due(instant_ms):
                channel.forget(instant_ms)
                self._touched.add(sign)
        self._watermarks.decide(instant_ms)
        return self.settle()

    def _learn_and_issue(self, instant_ms: int, forecasts: Mapping[str, Forecast]) -> dict[str, Issued]:
        warned = self._desk.open_signs()
        issued = {}
        for sign, channel in sorted(self._channels.items()):
            if not channel.is_due(instant_ms):
                continue
            frozen = sign in warned or channel.is_quarantined or channel.is_blind(instant_ms)
            channel.learn(instant_ms, frozen=frozen)
            if sign in forecasts:
                issued[sign] = channel.issue(forecasts[sign], frozen=frozen)
        return issued

    def _watch(self, instant_ms: int) -> dict[str, tuple[Fact, ...]]:
        """Run the rules' time operators; return the facts by pack and place."""
        fresh = {
            sign: sighting.value
            for sign, channel in self._channels.items()
            if channel.is_due(instant_ms) and (sighting := channel.fresh()) is not None
        }
        found = {}
        for pack, rules in self._configuration.rules.items():
            for place in rules.places:
                key = f"{pack}/{place}"
                before = self._memory.get(key, {})
                found[key], after = rules.watch(before, place, instant_ms, fresh)
                if after != before:
                    self._memory[key] = after
                    self._touched.add(f"rules/{key}")
        return found

    def _rulings(
        self,
        instant_ms: int,
        issued: Mapping[str, Issued],
        facts: Mapping[str, tuple[Fact, ...]],
        forecasts: Mapping[str, Forecast],
    ) -> list[Ruling]:
        rulings = []
        for pack, rules in self._configuration.rules.items():
            for place in rules.places:
                bindings = tuple(binding for binding in rules.bindings if binding.place == place)
                evidence = assemble(bindings, self._channels, issued, instant_ms)
                spoken = facts[f"{pack}/{place}"]
                for assessment in rules.assess(place, evidence, spoken):
                    rulings.append(self._ruling(assessment, instant_ms, evidence, spoken))
        rulings += judge_sources(self._channels, self._desk.standing(Layer.HEALTH), instant_ms)
        rulings += judge_models(self._asked, forecasts, self._channels, self._configuration.places)
        return rulings

    def _ruling(
        self, assessment: Assessment, instant_ms: int, evidence: Sequence[Evidence], facts: Sequence[Fact]
    ) -> Ruling:
        risk = assessment.risk if assessment.law is None else f"{assessment.risk}.{assessment.law}"
        key = f"{risk}@{assessment.place}"
        level, note = assessment.level, ""
        if assessment.probability is not None:
            level, note = self._level(key, assessment, instant_ms)
        standing = self._desk.standing(assessment.layer).get(key)
        signs = standing.signs if standing is not None else assessment.signs
        blind = bool(signs) and all(
            sign in self._channels and self._channels[sign].is_blind(instant_ms) for sign in signs
        )
        return Ruling(
            risk=risk,
            place=assessment.place,
            layer=assessment.layer,
            cause=assessment.cause,
            title=assessment.title,
            level=level,
            signs=assessment.signs,
            quiet_s=assessment.quiet_s,
            probability=assessment.probability,
            explanation=assessment.explanation,
            procedure=assessment.procedure,
            happened_ms=self._happened_ms(assessment, evidence, facts),
            note=note,
            blind=blind,
        )

    def _level(self, key: str, assessment: Assessment, instant_ms: int) -> tuple[Level | None, str]:
        doublings = self._desk.doublings(instant_ms, assessment.risk, assessment.place)
        bars = dict(assessment.bars)
        level = self._desk.level(key, assessment.probability or 0.0, bars, doublings)
        note = f"the alarm budget asked for odds doubled {doublings} times" if doublings and level else ""
        return level, note

    def _happened_ms(self, assessment: Assessment, evidence: Sequence[Evidence], facts: Sequence[Fact]) -> int | None:
        """Return the event time of the earliest late reading that speaks for the risk."""
        telling = {e.sign for e in evidence if e.kind is EvidenceKind.LIKELIHOOD and e.value > 1}
        telling |= {fact.sign for fact in facts if fact.state}
        late = [
            sighting.time_ms
            for sign in telling & set(assessment.signs)
            if sign is not None and sign in self._channels
            for sighting in self._channels[sign].sightings
            if sighting.late
        ]
        return min(late, default=None)

    def settle(self) -> Outcome:
        """Return every change since the last outcome: after items that made no instant due, such as a verdict."""
        instant_ms = self._watermarks.decided_ms or 0
        changes: Changes = self._desk.take_changes(instant_ms)
        state = dict(changes.state)
        for key in sorted(self._touched):
            if key.startswith("rules/"):
                state[key] = self._memory[key.removeprefix("rules/")]
            else:
                state |= self._judged_state(key)
                self._heard.add(key)
        state |= {f"heard/{sign}": self._channels[sign].heard_json() for sign in sorted(self._heard)}
        state[CLOCK_KEY] = self._watermarks.to_json() | {"ignored": self._ignored}
        self._heard.clear()
        self._touched.clear()
        return Outcome(changes.episodes, changes.incidents, changes.outbox, state)

    def _judged_state(self, sign: str) -> dict[str, Any]:
        channel = self._channels[sign]
        learned = channel.calibration
        state: dict[str, Any] = {f"judged/{sign}": channel.judged_json()}
        return state if learned is None else state | {calibration_key(sign): learned.to_json()}


def _ruled(rules: Mapping[str, CompiledRules]) -> frozenset[str]:
    """Return the keys of all rulings that rules can make."""
    risks = [
        (risk, place)
        for compiled in rules.values()
        for template in compiled.templates.values()
        for risk in (template.rule.id, *(f"{template.rule.id}.{law}" for law in template.rule.law_names))
        for place in template.rule.places
    ]
    return frozenset(f"{risk}@{place}" for risk, place in risks)
