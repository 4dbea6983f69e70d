"""An interview that asks a veteran in frequencies and writes the rule file. It reads and prints nothing itself.

What is asked next depends on what was said: signs, causes and inhibitors are asked for until there are no more. What
would make a rule that the check refuses, or that warns without end, is asked again at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts import Language, Level, PlaceTree, Procedure, Sign, SignCatalogue, Text

from . import interview_words as words
from .interview_draft import Draft, Written, write_rule
from .interview_words import Question
from .trials import MAXIMUM_STEPS

MAXIMUM_SIGNS, MAXIMUM_CAUSES = 16, 16
_LEVELS = (Level.YELLOW, Level.ORANGE, Level.RED)
_LARGEST = 1e12
Script = Generator[Question, Any, None]


@dataclass(slots=True)
class Interview:
    """Asks one question after another; an answer that was not understood is asked again.

    Attributes:
        signs: the signs that may be named.
        procedures: the procedures that may be named.
        language: what complaints are written in.
        taken: ids of rules that there are already.
    """

    signs: SignCatalogue
    procedures: Mapping[str, Procedure]
    language: Language = Language.ZH
    taken: frozenset[str] = frozenset()
    _answers: list[str] = field(default_factory=list)
    _draft: Draft = field(default_factory=Draft)
    _script: Script | None = None
    _question: Question | None = None

    def __post_init__(self) -> None:
        self._replay([])

    @property
    def question(self) -> Question | None:
        """The next question, or None when all is said."""
        return self._question

    def answer(self, said: str) -> str | None:
        """Take an answer; return what is wrong with it, or None if it was understood."""
        if self._question is None:
            return Text(zh="已经问完了。", en="All has been asked.").in_language(self.language)
        try:
            self._take(said.strip())
        except words.Complaint as exc:
            example = self._question.example
            told = Text(zh=f"{exc.text.zh}。例如：{example}", en=f"{exc.text.en}. For example: {example}")
            return told.in_language(self.language)
        return None

    def back(self) -> None:
        """Take the last answer back, so that its question is asked again."""
        self._replay(self._answers[:-1])

    def write(self, places: PlaceTree, *, timezone: str = "Asia/Shanghai") -> Written:
        """Return the rule file in canonical form, with tests that it passes.

        Args:
            places: where rules may apply.
            timezone: IANA name of the local time.

        Raises:
            ValueError: if questions are still open.
            ConfigurationError: if the check refuses what was said; every problem is listed.
        """
        if self._question is not None:
            message = f"the question {self._question.key!r} is still open"
            raise ValueError(message)
        return write_rule(self._draft, self.signs, places, self.procedures, timezone=timezone)

    def _replay(self, answers: list[str]) -> None:
        self._answers, self._draft = [], Draft()
        self._script = self._ask()
        self._question = next(self._script)
        for said in answers:
            self._take(said)

    def _take(self, said: str) -> None:
        question, script = self._question, self._script
        if question is None or script is None:
            raise AssertionError  # the caller asked for a question first
        value = None if question.optional and said in words.NOTHING else question.read(said)
        self._answers.append(said)
        try:
            self._question = script.send(value)
        except StopIteration:
            self._question = None

    def _ask(self) -> Script:
        """Ask everything in order; each answer comes back read."""
        rule = self._draft.rule
        rule["id"] = yield words.RULE_ID.reading(self._new_id)
        rule["version"] = 1
        zh = yield words.TITLE_ZH
        en = yield words.TITLE_EN
        rule["title"] = {"zh": zh, "en": en or zh}
        rule["owner"] = yield words.OWNER
        rule["expert"] = yield words.EXPERT
        rule["status"] = "trial"
        yield from self._ask_signs()
        rule["risk"] = "risk"
        rule["horizon"] = yield words.HORIZON
        rule["leak"] = yield words.LEAK
        yield from self._ask_causes()
        yield from self._ask_inhibitors()
        yield from self._ask_levels()
        rule["do"] = yield words.PROCEDURE.reading(self._procedure)

    def _ask_signs(self) -> Script:
        signs = self._draft.signs
        while len(signs) < MAXIMUM_SIGNS:
            first = words.SOURCE if not signs else words.NEXT_SOURCE
            source = yield first.reading(self._source)
            if source is None:
                return
            operator, quantity, threshold = yield words.WHEN.reading(self._comparison(source))
            name = _free_name(f"{source.rpartition('.')[2]}_{'high' if '>' in operator else 'low'}", signs)
            entry: dict[str, Any] = {"source": source, operator: quantity}
            hold_ms, hold = yield words.HOLD.reading(self._hold(source))
            if hold_ms:
                entry["for"] = hold
            entry["seen"] = yield words.SEEN
            entry["otherwise"] = yield words.OTHERWISE.reading(_rarer(entry["seen"]))
            cited = yield words.LAW
            if cited is not None:
                entry["law"] = f"law_{name}"
                self._draft.laws[entry["law"]] = {"level": "red", "cite": cited}
            self._draft.add_condition(name, entry, operator, threshold, hold_ms)

    def _ask_causes(self) -> Script:
        causes = self._draft.causes
        while len(causes) < MAXIMUM_CAUSES:
            title = yield words.CAUSE if not causes else words.NEXT_CAUSE
            if title is None:
                return
            name = _free_name(f"cause_{len(causes) + 1}", self._draft.signs)
            share = yield words.BRINGS.reading(self._above_leak)
            source = yield words.CAUSE_SIGN.reading(self._source)
            if source is not None:
                operator, quantity, threshold = yield words.CAUSE_WHEN.reading(self._comparison(source))
                if (yield words.CAUSE_AHEAD):
                    self._draft.add_forecast(name, source, operator, quantity)
                else:
                    self._draft.add_condition(name, {"source": source, operator: quantity}, operator, threshold)
            prior = yield words.CAUSE_PRIOR
            causes[name] = {**share, "prior": prior, "title": {"zh": title, "en": title}}

    def _ask_inhibitors(self) -> Script:
        inhibits = self._draft.inhibits
        while len(inhibits) < MAXIMUM_CAUSES:
            title = yield words.INHIBITOR if not inhibits else words.NEXT_INHIBITOR
            if title is None:
                return
            name = _free_name(f"inhibitor_{len(inhibits) + 1}", self._draft.signs)
            stops = yield words.STOPS
            source = yield words.INHIBITOR_SIGN.reading(self._source)
            if source is not None:
                operator, quantity, threshold = yield words.INHIBITOR_WHEN.reading(
                    self._comparison(source, soothes=True)
                )
                entry = {"source": source, operator: quantity}
                self._draft.add_condition(name, entry, operator, threshold, soothes=True)
            prior = yield words.INHIBITOR_PRIOR
            titles = {"zh": title, "en": title}
            inhibits[name] = {"stops": stops["yes"], "of": stops["of"], "prior": prior, "title": titles}

    def _ask_levels(self) -> Script:
        lowest = self._draft.usual_probability()
        reason = words.Complaint(
            zh=f"什么都不知道时它就有 {lowest:.2%} 的可能，这一级会一直响",
            en=f"while nothing is known the risk has {lowest:.2%}: this level would never end",
        )
        for level in _LEVELS:
            bar = yield words.BARS[level].reading(_above(lowest, reason))
            if bar is None:
                return
            self._draft.levels[str(level)] = {"cost": bar["yes"], "loss": bar["of"]}
            lowest = bar["yes"] / bar["of"]
            reason = words.Complaint(
                zh=f"更重的一级要大于 {lowest:.3g}", en=f"a graver level must take more than {lowest:.3g}"
            )

    def _new_id(self, said: str) -> str:
        found = words.identifier(said)
        if found in self.taken:
            raise words.Complaint(zh=f"编号 {found} 已经有了", en=f"the id {found!r} is taken")
        return found

    def _signs_of(self, source: str) -> list[Sign]:
        return [self.signs[source]] if source in self.signs else [s for s in self.signs if s.dimension == source]

    def _source(self, said: str) -> str:
        found = self._signs_of(said) if said else []
        if not found:
            known = ", ".join(sign.id for sign in list(self.signs)[:8])
            raise words.Complaint(zh=f"没有“{said}”这个体征，有：{known}", en=f"{said!r} is no sign; known: {known}")
        at = [sign.place for sign in found]
        if len({sign.unit for sign in found}) > 1 or len(set(at)) < len(at):
            raise words.Complaint(
                zh=f"“{said}”在一处有几个体征，或单位不同，请说其中一个：{found[0].id}",
                en=f"several signs of {said!r} stand at one place or differ in their unit; name one: {found[0].id}",
            )
        if not self._draft.meets(at):
            raise words.Complaint(
                zh=f"“{said}”和前面的体征没有共同的地点",
                en=f"{said!r} is measured nowhere that the signs before are measured",
            )
        interval_ms = min(sign.interval_s for sign in found) * 1000
        if self._draft.minutes * 60_000 // interval_ms >= MAXIMUM_STEPS:
            raise words.Complaint(
                zh=f"“{said}”读数太密，和前面那么长的持续时间配在一起无法试算",
                en=f"{said!r} is read too often to be tested beside how long another sign must last",
            )
        self._draft.intervals_ms[said] = interval_ms
        self._draft.narrow(at)
        return said

    def _procedure(self, said: str) -> str:
        if said not in self.procedures:
            known = ", ".join(list(self.procedures)[:8])
            raise words.Complaint(
                zh=f"没有“{said}”这个流程，有：{known}", en=f"{said!r} is no procedure; known: {known}"
            )
        return said

    def _comparison(self, source: str, *, soothes: bool = False) -> words.Reader:
        found = self._signs_of(source)
        low = min((-math.inf if sign.minimum is None else sign.minimum for sign in found), default=-math.inf)
        high = max((math.inf if sign.maximum is None else sign.maximum for sign in found), default=math.inf)

        def read(said: str) -> tuple[str, str | float, float]:
            operator, quantity = words.comparison(said)
            value = words.quantity(quantity, found[0].unit)
            inside = (
                low < value < high
                or (value == low and operator in {">", "<="})
                or (value == high and operator in {"<", ">="})
            )
            if not inside or abs(value) > _LARGEST:
                limits = f"{low:g}..{high:g} {found[0].unit}"
                raise words.Complaint(
                    zh=f"“{said}”超出能测到的范围 {limits}", en=f"{said!r} lies outside what can be measured, {limits}"
                )
            if not soothes and self._draft.quiet_beside(source, operator, value) is None:
                raise words.Complaint(
                    zh=f"“{said}”和前面说的合在一起，{source} 怎么测都算异常",
                    en=f"with {said!r} and what was said before, {source} would be out of order whatever is measured",
                )
            return operator, (value if re.fullmatch(r"[-+0-9.eE]+", quantity) else quantity), value

        return read

    def _hold(self, source: str) -> words.Reader:
        shortest_ms = min(self._draft.intervals_ms.values())

        def read(said: str) -> tuple[int, str]:
            hold_ms, written = words.hold(said)
            if hold_ms // shortest_ms >= MAXIMUM_STEPS - 1:
                raise words.Complaint(
                    zh=f"“{said}”要 {MAXIMUM_STEPS} 次以上读数，无法试算",
                    en=f"{said!r} is more than {MAXIMUM_STEPS} readings of {source} or of another sign here",
                )
            return hold_ms, written

        return read

    def _above_leak(self, said: str) -> dict[str, int]:
        share, leak = words.frequency(said), self._draft.rule["leak"]
        if share["yes"] / share["of"] <= leak["yes"] / leak["of"]:
            raise words.Complaint(
                zh=f"这不比没有任何原因时更常见（{leak['of']} 次里 {leak['yes']} 次）",
                en=f"that is no more often than without any cause ({leak['yes']} of {leak['of']})",
            )
        return share


def _above(lowest: float, reason: words.Complaint) -> words.Reader:
    def read(said: str) -> dict[str, int]:
        bar = words.frequency(said)
        if bar["yes"] / bar["of"] <= lowest:
            raise reason
        return bar

    return read


def _rarer(seen: Mapping[str, int]) -> words.Reader:
    def read(said: str) -> dict[str, int]:
        share = words.frequency(said)
        if share["yes"] / share["of"] >= seen["yes"] / seen["of"]:
            raise words.Complaint(
                zh=f"没有事件时应当比有事件时（{seen['of']} 次里 {seen['yes']} 次）少见，否则它说明不了什么",
                en=f"a sign must be seen less often without the event than with it ({seen['yes']} of {seen['of']})",
            )
        return share

    return read


def _free_name(wanted: str, taken: Mapping[str, Any]) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:40]
    name = name if name[:1].isalpha() else f"sign_{name}"[:40]
    names = [name, *(f"{name}_{number}" for number in range(2, MAXIMUM_SIGNS + 2 * MAXIMUM_CAUSES + 2))]
    return next(free for free in names if free not in taken)
