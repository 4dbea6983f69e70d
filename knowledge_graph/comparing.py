"""What changed between two rule sets, as a reviewer says it: ``rain: 6/10 → 7/10``.

The order of keys, spelling, units that mean the same and defaults written out are no changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts import Procedure, Text

from .authoring import RuleWords
from .quantities import parse_duration, parse_quantity
from .ruleset import Rule, RuleSet

_DURATIONS = {"horizon", "quiet", "for", "within", "rise_per", "drop_per", "stuck", "absent", "by"}
_QUANTITIES = {"<", "<=", ">", ">=", "clear", "at", "tolerance"}
_SECTIONS = {
    "signs": ("体征", "sign"),
    "causes": ("原因", "cause"),
    "inhibits": ("抑制", "inhibitor"),
    "levels": ("级别", "level"),
    "table": ("条件表", "table"),
    "laws": ("法定规则", "law"),
    "tables": ("决策表", "table"),
    "tests": ("测试", "test"),
    "thresholds": ("分点阈值", "threshold"),
    "procedures": ("流程", "procedure"),
}
_FREQUENCIES = (("yes", "of"), ("stops", "of"), ("cost", "loss"))
_BY_DEFAULT = ("signs", "causes", "inhibits", "leak", "base_rate", "table")
"""Sections of many words that are left out where they say the usual."""
_ABSENT = "—"
Flat = dict[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed.

    Attributes:
        rule: id of the rule, or of the procedure.
        path: where in it, such as ``causes.rain``; empty for the whole.
        before: what stood there; None for nothing.
        after: what stands there; None for nothing.
    """

    rule: str
    path: str
    before: str | None
    after: str | None

    @property
    def text(self) -> Text:
        """The change in both languages, without the rule's id."""
        section, _, rest = self.path.partition(".")
        zh, en = _SECTIONS.get(section, (self.path, self.path))
        if section in _SECTIONS and rest:
            zh, en = f"{zh} {rest}", f"{en} {rest}"
        before, after = self.before or _ABSENT, self.after or _ABSENT
        if not self.path:
            zh, en = ("整条规则", "the whole rule")
        if self.before is None:
            return Text(zh=f"{zh}：新增 {after}"[:2000], en=f"{en}: added {after}"[:2000])
        if self.after is None:
            return Text(zh=f"{zh}：删除 {before}"[:2000], en=f"{en}: removed {before}"[:2000])
        return Text(zh=f"{zh}：{before} → {after}"[:2000], en=f"{en}: {before} → {after}"[:2000])


def compare_rules(old: RuleSet, new: RuleSet) -> list[Change]:
    """Return what changed from one rule set to another: rules, their places and thresholds, and procedures."""
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    changes: list[Change] = []
    for rule_id in sorted(before.keys() | after.keys()):
        if rule_id not in after or rule_id not in before:
            title = (before.get(rule_id) or after[rule_id]).title.zh
            changes.append(
                Change(rule_id, "", title if rule_id in before else None, title if rule_id in after else None)
            )
        else:
            changes.extend(_differences(rule_id, _flatten_rule(before[rule_id]), _flatten_rule(after[rule_id])))
    for name in sorted(old.procedures.keys() | new.procedures.keys()):
        first, second = (_flatten_procedure(one.procedures.get(name)) for one in (old, new))
        changes.extend(_differences(name, first, second))
    return changes


def _differences(rule: str, before: Flat, after: Flat) -> Iterator[Change]:
    for path in dict.fromkeys([*before, *after]):
        first, second = before.get(path), after.get(path)
        if first != second:
            yield Change(rule, ".".join(path), first, second)


def _flatten_rule(rule: Rule) -> Flat:
    units = {name: condition.unit for name, condition in rule.conditions.items()}
    written = {name: entry for name, entry in rule.words.signs.items() if name not in rule.derived}
    flat = _flatten_words(rule.words.model_copy(update={"signs": written}), units)
    flat[("places",)] = _listed(sorted(rule.places))
    for (place, name), threshold in sorted(rule.thresholds.items()):
        flat[("thresholds", name, place)] = f"{threshold:.6g} {units.get(name, '')}".strip()
    return flat


def _flatten_words(words: RuleWords, units: Mapping[str, str]) -> Flat:
    flat: Flat = {}
    dumped = words.model_dump(by_alias=True, mode="json", exclude_none=True)
    plain = words.model_dump(by_alias=True, mode="json", exclude_none=True, exclude_defaults=True)
    for key, value in (dumped | {key: plain.get(key, {}) for key in _BY_DEFAULT}).items():
        if key == "tests":
            flat |= {("tests", _inline(test)): _inline(test) for test in value}
        else:
            flat.update(_flatten((key,), value, units))
    return flat


def _flatten_procedure(procedure: Procedure | None) -> Flat:
    if procedure is None:
        return {}
    dumped = procedure.model_dump(mode="json", exclude={"id"})
    steps: Flat = {
        ("procedures", "steps", str(index + 1)): _inline(step) for index, step in enumerate(dumped.pop("steps"))
    }
    rest: Flat = {("procedures", key): _inline(value) for key, value in dumped.items()}
    return {**rest, **steps}


def _flatten(path: tuple[str, ...], value: Any, units: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            case = " + ".join(item["when"]) if isinstance(item.get("when"), list) else str(index + 1)
            yield from _flatten((*path, case), {key: inner for key, inner in item.items() if key != "when"}, units)
        return
    if not isinstance(value, Mapping):
        yield path, _normal(path, value, units)
        return
    if "rows" in path:
        yield path, _inline(value)
        return
    rest = dict(value)
    for part, whole in _FREQUENCIES:
        if part in rest and whole in rest:
            yield path, f"{rest.pop(part):.6g}/{rest.pop(whole):.6g}"
            break
    if path[-1] in {"title", "owner", "reason"} and rest.keys() == {"zh", "en"}:
        yield path, _inline(rest)
        return
    if not value and len(path) > 1:
        yield path, "{}"
    for key, inner in rest.items():
        yield from _flatten((*path, str(key)), inner, units)


def _normal(path: tuple[str, ...], value: Any, units: Mapping[str, str]) -> str:
    """Return a value so that what means the same reads the same."""
    unit = units.get(path[1]) if len(path) > 1 and path[0] == "signs" else None
    try:
        if path[-1] in _DURATIONS and isinstance(value, str):
            return _duration(parse_duration(value))
        if path[-1] in _QUANTITIES and unit is not None:
            return f"{parse_quantity(value, unit):.6g} {unit}".strip()
    except ValueError:
        return _inline(value)
    return _inline(value)


def _duration(duration_ms: int) -> str:
    for symbol, factor in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if duration_ms and duration_ms % factor == 0:
            return f"{duration_ms // factor} {symbol}"
    return f"{duration_ms} ms"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{len(names)}: {shown}{', …' if len(names) > 5 else ''}"  # noqa: PLR2004 - a short list


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        if value.keys() == {"zh", "en"}:
            return str(value["zh"]) if value["zh"] == value["en"] else f"{value['zh']} / {value['en']}"
        return ", ".join(f"{key}: {_inline(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inline(inner) for inner in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else "null" if value is None else str(value)
