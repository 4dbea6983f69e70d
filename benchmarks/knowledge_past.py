"""A year of 3,000 places for the knowledge benchmark: the water main's rules at every place, and readings to run over.

The rules and their numbers are the pack's own; only the one meter becomes one at each place. Readings are drawn: a
daily profile, noise, hours of low flow, stuck meters and gaps. This measures time, and that nothing differs from live;
it says nothing about skill.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from contracts import (
    Domain,
    Evidence,
    EvidenceKind,
    Layer,
    Place,
    PlaceLevel,
    PlaceTree,
    Sign,
    SignCatalogue,
    Text,
    load_pack,
)
from early_warning.scoring import Event
from knowledge_graph import CompiledRules, RuleBundle, compile_rules
from operations import Past
from operations.rule_judgement import judge_rules

_METER = "water_main.flow"
_HOURS = 365 * 24
_PLACES = 3000
_HOUR_MS = 3_600_000
START_MS = 1_640_995_200_000  # 2022-01-01
_COMPARED = 400
_MISSING = 0.01
_LOW = 90.0


def measure_backtest(pack: Path) -> dict[str, Any]:
    """Return how long a year takes with all its figures; sampled cases must be what live assessment says."""
    bundle, signs, tree = many_places(pack, _PLACES)
    rules = compile_rules(bundle.load(signs, tree))
    past = _draw_past(rules, np.random.default_rng(5))
    events = _draw_events(rules, past)
    started = time.perf_counter()
    judged = judge_rules(rules, tree, past, events)
    seconds = time.perf_counter() - started
    different = sum(_differences(rules, past, place) for place in rules.places[::1000])
    if different:
        message = f"{different} cases of the backtest differ from live assessment."
        raise AssertionError(message)
    return {"backtest_s": seconds, "backtest_episodes": len(judged.found.episodes)}


def many_places(pack_folder: Path, count: int) -> tuple[RuleBundle, SignCatalogue, PlaceTree]:
    """Return the pack's rules for a meter at each of many places in fifteen districts."""
    pack = load_pack(pack_folder)
    original = pack.signs[_METER]
    places = [Place(id="city", name=Text(zh="市", en="city"), level=PlaceLevel.CITY)]
    for district in range(15):
        name = f"district{district}"
        places.append(Place(id=name, name=Text(zh=name, en=name), level=PlaceLevel.DISTRICT, parent="city"))
    signs: list[Sign] = []
    for number in range(count):
        name = f"street{number}"
        above = f"district{number % 15}"
        places.append(Place(id=name, name=Text(zh=name, en=name), level=PlaceLevel.STREET, parent=above))
        signs.append(original.model_copy(update={"id": f"flow.{number}", "place": name, "domain": Domain.CONSTRUCTION}))
    own = RuleBundle.of_folder(pack.header.id, pack.rules, pack.procedures, pack.header.timezone)
    rules = {name: text.replace(f"source: {_METER}", "source: flow") for name, text in own.rules.items()}
    return own.model_copy(update={"rules": rules}), SignCatalogue(signs), PlaceTree(places)


def _draw_past(rules: CompiledRules, random: np.random.Generator) -> Past:
    hours = np.arange(_HOURS)
    times = START_MS + _HOUR_MS * hours
    profile = 102 + 3 * np.sin(2 * np.pi * hours / 24)
    readings, evidence = {}, {}
    bindings = {(b.place, b.sign): b.node for b in rules.bindings if b.use == "exceedance"}
    for (place, sign), node in bindings.items():
        flow = profile + random.normal(0, 0.4, _HOURS)
        for start in random.integers(0, _HOURS - 48, size=2):
            flow[start : start + random.integers(2, 12)] -= random.uniform(5, 80)
        stuck = int(random.integers(0, _HOURS - 48))
        flow[stuck : stuck + 8] = flow[stuck]
        flow[random.random(_HOURS) < _MISSING] = np.nan
        readings[sign] = flow
        evidence[node, place] = np.clip(1 / (1 + np.exp(np.nan_to_num(flow, nan=102.0) - 95)), 1e-6, 1 - 1e-6)
    return Past(times, readings, evidence)


def _draw_events(rules: CompiledRules, past: Past) -> list[Event]:
    """Call every stretch of low flow an event, so that all figures are reckoned; they mean nothing here."""
    found = []
    for risk, template in rules.templates.items():
        for place, name in template.rule.signs:
            if name != "low":
                continue
            low = past.readings[template.rule.signs[place, name]] < _LOW
            edges = np.flatnonzero(np.diff(np.concatenate([[False], low, [False]]).astype(np.int8)))
            times = np.minimum(past.times_ms[0] + _HOUR_MS * edges, past.times_ms[-1]).reshape(-1, 2)
            found += [Event(risk, place, int(start), int(end)) for start, end in times]
    return found


def _differences(rules: CompiledRules, past: Past, place: str) -> int:
    """Assess some weeks of one place as the runtime does, and count probabilities that are not the sweep's."""
    risks = [risk for risk, template in rules.templates.items() if place in template.rule.places]
    live: dict[str, list[float]] = {risk: [] for risk in risks}
    memory: dict[str, Any] = {}
    for step in range(_COMPARED):
        time_ms = int(past.times_ms[step])
        signs = {rules.templates[risk].rule.signs[key] for risk in risks for key in rules.templates[risk].rule.signs}
        heard = {sign: float(past.readings[sign][step]) for sign in signs if sign == f"flow.{place[6:]}"}
        heard = {sign: value for sign, value in heard.items() if np.isfinite(value)}
        facts, memory = rules.watch(memory, place, time_ms, heard)
        evidence = [
            Evidence(
                node=binding.node,
                place=place,
                kind=EvidenceKind.EXCEEDANCE,
                value=float(past.evidence[binding.node, place][step]),
                group=binding.group,
                time_ms=time_ms,
                sign=binding.sign,
            )
            for binding in rules.bindings
            if binding.place == place and (binding.node, place) in past.evidence
        ]
        for found in rules.assess(place, evidence, facts):
            if found.layer is Layer.EXPERIENCE:
                live[found.risk].append(found.probability or 0.0)
    return sum(int((np.array(live[risk]) != _swept(rules, risk, past, place)).sum()) for risk in risks)


def _swept(rules: CompiledRules, risk: str, past: Past, place: str) -> Any:
    sweep, rule = rules.sweep(risk), rules.templates[risk].rule
    column = sweep.places.index(place)
    shape = (_COMPARED, len(sweep.places))
    readings = {
        name: np.stack([past.readings[rule.signs[one, name]][:_COMPARED] for one in sweep.places], axis=1)
        for name in sweep.conditions
    }
    evidence = {
        name: np.stack([past.evidence[rule.node(name), one][:_COMPARED] for one in sweep.places], axis=1)
        for name in rule.brought
        if (rule.node(name), place) in past.evidence
    }
    found = sweep.advance(past.times_ms[:_COMPARED].tolist(), readings, evidence)
    if found.probability.shape != shape:
        raise AssertionError
    return found.probability[:, column]
