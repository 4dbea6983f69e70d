"""One risk as a bow-tie: what brings it on the left, the risk in the middle, what follows and what to do on the right.

Data only: how it looks is the business of whoever draws it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts import Direction, Language, Level, Text

from .authoring import CauseWords, Frequency, InhibitorWords, SignWords
from .quantities import format_duration
from .ruleset import Condition, Rule, RuleSet

_TRANSFORMS = {
    "rise": Text(zh="上升", en="rise"),
    "drop": Text(zh="下降", en="drop"),
    "night": Text(zh="夜间最小", en="night minimum"),
    "stuck": Text(zh="读数不变", en="unchanged"),
    "absent": Text(zh="无数据", en="silent"),
    "sequence": Text(zh="依次", en="in sequence"),
    "every": Text(zh="同时", en="all of"),
}
_USES = {
    "prior": Text(zh="预报越限概率", en="forecast exceedance"),
    "shock": Text(zh="突变似然比", en="shock ratio"),
    "drift": Text(zh="漂移似然比", en="drift ratio"),
    "ratio": Text(zh="校准似然比", en="calibrated ratio"),
}
_COMBINED = {
    "any": Text(zh="任一原因即可", en="any cause may bring it"),
    "all": Text(zh="各原因须同时", en="all causes are needed"),
    "ranked": Text(zh="按权重分级", en="ranked by weight"),
    "table": Text(zh="完整条件表", en="a full table"),
}
_STRIKING = 100


@dataclass(frozen=True, slots=True)
class Detail:
    """One line below a title: words in both languages around a value that needs no translation.

    Attributes:
        words: None where the value says all.
        value: a number, a condition or a name.
    """

    words: Text | None
    value: str = ""

    def in_language(self, language: Language | None) -> str:
        """Return the line in one language, or in both for None; the value is said once."""
        if self.words is None:
            return self.value
        both = self.words.zh if self.words.zh == self.words.en else f"{self.words.zh} {self.words.en}"
        words = both if language is None else self.words.in_language(language)
        return f"{words} {self.value}".strip()


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the picture.

    Attributes:
        kind: ``cause``, ``inhibitor``, ``evidence``, ``risk``, ``law``, ``level`` or ``action``.
        name: in the rule file.
        title: what people call it.
        details: what else to know, a line each.
        share: how strongly it bears on the risk, within [0, 1].
        level: of a level or a law.
        law: the law that an evidence box fires.
    """

    kind: str
    name: str
    title: Text
    details: tuple[Detail, ...] = ()
    share: float = 0.0
    level: Level | None = None
    law: str | None = None


@dataclass(frozen=True, slots=True)
class BowTie:
    """One risk, ready to be drawn.

    Attributes:
        risk: the middle.
        causes: on the left, what brings it.
        inhibitors: the barriers between causes and risk.
        evidence: on the left below, what shows it.
        levels: on the right, the gravest first.
        laws: on the right above.
        actions: procedures on the far right.
    """

    risk: Box
    causes: tuple[Box, ...]
    inhibitors: tuple[Box, ...]
    evidence: tuple[Box, ...]
    levels: tuple[Box, ...]
    laws: tuple[Box, ...]
    actions: tuple[Box, ...] = field(default=())


def bow_tie(ruleset: RuleSet, rule: Rule) -> BowTie:
    """Return the bow-tie of one rule."""
    words = rule.words
    return BowTie(
        risk=_risk_box(rule),
        causes=tuple(_cause_box(ruleset, rule, name, cause) for name, cause in words.causes.items()),
        inhibitors=tuple(_inhibitor_box(name, words) for name, words in words.inhibits.items()),
        evidence=tuple(_evidence_boxes(ruleset, rule)),
        levels=tuple(_level_boxes(rule)),
        laws=tuple(_law_boxes(rule)),
        actions=tuple(_action_boxes(rule)),
    )


def _risk_box(rule: Rule) -> Box:
    words = rule.words
    details = [
        Detail(Text(zh="时限", en="onset within"), format_duration(rule.horizon_ms)),
        *([Detail(_COMBINED[words.combine])] if words.causes else []),
        Detail(Text(zh="无名原因", en="leak"), _share(words.leak)),
        Detail(Text(zh="地点", en="places"), str(len(rule.places))),
        Detail(None, f"{words.expert} · v{words.version} · {words.status}"),
    ]
    return Box("risk", rule.id, rule.title, tuple(details))


def _cause_box(ruleset: RuleSet, rule: Rule, name: str, cause: CauseWords) -> Box:
    entry = rule.words.signs.get(name)
    details = [] if entry is None else [_watched(ruleset, rule, name, entry)]
    prior = cause.prior or (entry.prior if entry is not None else None)
    if prior is not None:
        details.append(Detail(Text(zh="平时", en="usually there"), _share(prior)))
    law = entry.law if entry is not None else None
    return Box("cause", name, _named(name, cause), tuple(details), share=cause.rate, law=law)


def _inhibitor_box(name: str, inhibitor: InhibitorWords) -> Box:
    details = (Detail(Text(zh="拦住", en="stops"), f"{inhibitor.stops:g}/{inhibitor.of:g}"),)
    return Box("inhibitor", name, _named(name, inhibitor), details, share=inhibitor.rate)


def _evidence_boxes(ruleset: RuleSet, rule: Rule) -> Iterator[Box]:
    words = rule.words
    for name, entry in words.signs.items():
        speaks = entry.seen is not None or entry.law is not None or name in rule.brought
        if name in words.causes or name in words.inhibits or not speaks:
            continue  # drawn elsewhere, or only a part of another entry
        details = [_watched(ruleset, rule, name, entry)]
        share = 0.0
        if entry.seen is not None and entry.otherwise is not None:
            ratio = entry.seen.rate / max(entry.otherwise.rate, 1e-9)
            times = f"×{ratio:,.0f}" if ratio >= _STRIKING else f"×{ratio:.3g}"
            details.append(Detail(Text(zh="有时见", en="seen"), _share(entry.seen)))
            details.append(Detail(Text(zh="无时见", en="otherwise"), f"{_share(entry.otherwise)}   {times}"))
            share = entry.seen.rate
        yield Box("evidence", name, _source_title(ruleset, rule, name), tuple(details), share=share, law=entry.law)


def _level_boxes(rule: Rule) -> Iterator[Box]:
    names = {Level.BLUE: "蓝色", Level.YELLOW: "黄色", Level.ORANGE: "橙色", Level.RED: "红色"}
    for level, bar in reversed(rule.bars.items()):
        words = rule.words.levels[str(level)]  # type: ignore[index]  # a level's value is its word
        details = (
            Detail(Text(zh="概率", en="probability"), f"> {bar:.0%}"),
            Detail(Text(zh="代价/损失", en="cost/loss"), f"{words.cost:g}/{words.loss:g}"),
        )
        yield Box("level", str(level), Text(zh=names[level], en=str(level)), details, share=bar, level=level)


def _law_boxes(rule: Rule) -> Iterator[Box]:
    for name in dict.fromkeys(entry.law for entry in rule.words.signs.values() if entry.law is not None):
        law = rule.words.laws.get(name)
        title = (law.title if law is not None else None) or Text(zh=name, en=name)
        details = (Detail(None, law.cite),) if law is not None and law.cite else ()
        yield Box("law", name, title, details, share=1.0, level=law.level if law is not None else Level.RED)


def _action_boxes(rule: Rule) -> Iterator[Box]:
    for procedure in {found.id: found for found in (rule.procedure, *rule.laws.values())}.values():
        lead = Detail(Text(zh=f"{procedure.lead.zh} 牵头", en=f"led by {procedure.lead.en}"))
        steps = tuple(
            Detail(Text(zh=f"{index}. {step.zh}"[:2000], en=f"{index}. {step.en}"[:2000]))
            for index, step in enumerate(procedure.steps, start=1)
        )
        yield Box("action", procedure.id, procedure.title, (Detail(None, procedure.id), lead, *steps))


def _named(name: str, words: CauseWords | InhibitorWords) -> Text:
    return words.title or Text(zh=name, en=name)


def _source_title(ruleset: RuleSet, rule: Rule, name: str) -> Text:
    sign_id = next((rule.signs[place, name] for place in rule.places if (place, name) in rule.signs), None)
    reason = rule.words.signs[name].reason
    if sign_id is None:
        return reason or Text(zh=name, en=name)
    title = ruleset.signs[sign_id].title
    return Text(zh=f"{title.zh} · {name}", en=f"{title.en} · {name}")


def _watched(ruleset: RuleSet, rule: Rule, name: str, entry: SignWords) -> Detail:
    """Say what an entry watches, such as ``level_cm ≥ 25 cm, 3min``."""
    source = entry.source or name
    brought = rule.brought.get(name)
    if brought is None:
        condition = rule.conditions[name]
        if condition.transform == "every":
            told = (
                _condition(rule.conditions[step], rule.words.signs[step].source or step) for step in condition.steps
            )
            return Detail(_TRANSFORMS["every"], " + ".join(part.in_language(Language.EN) for part in told))
        return _condition(condition, source)
    way = "<" if brought.direction is Direction.LOW else ">"
    level = "" if brought.level is None else f" {way} {brought.level:g} {_unit(ruleset, rule, name)}".rstrip()
    return Detail(_USES[brought.use], f"{source}{level}")


def _condition(condition: Condition, source: str) -> Detail:
    words = _TRANSFORMS.get(condition.transform)
    window = format_duration(condition.window_ms)
    if condition.transform in {"stuck", "absent"}:
        return Detail(words, f"{source} · {window}")
    if condition.transform in {"sequence", "every"}:
        return Detail(words, (" → " if condition.transform == "sequence" else " + ").join(condition.steps))
    operator = condition.operator.replace("<=", "≤").replace(">=", "≥")
    over = f" / {window}" if condition.transform in {"rise", "drop"} else ""
    told = f"{source} {operator} {condition.threshold:g} {condition.unit}".rstrip() + over
    if condition.hold_ms:
        told += f", {format_duration(condition.hold_ms)}"
    if condition.count:
        told += f", {condition.count}× / {format_duration(condition.within_ms)}"
    return Detail(words, told)


def _unit(ruleset: RuleSet, rule: Rule, name: str) -> str:
    sign_id = next((rule.signs[place, name] for place in rule.places if (place, name) in rule.signs), None)
    return ruleset.signs[sign_id].unit if sign_id is not None else ""


def _share(frequency: Frequency) -> str:
    return f"{frequency.yes:g}/{frequency.of:g}"
