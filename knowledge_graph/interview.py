"""An interview that asks a veteran in frequencies and writes the rule file. It reads and prints nothing itself."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML

from contracts import IDENTIFIER, Language, Procedure, SignCatalogue, Text

from .quantities import parse_duration, parse_quantity

_FREQUENCY_EN = re.compile(r"\s*(\d+)\s*(?:of|/|out of)\s*(\d+)\s*")
_FREQUENCY_ZH = re.compile(r"\s*(\d+)\s*[次天夜场个]?\s*[里中内有，,]+\s*(\d+)\s*[次天夜场个]?\s*")
_COMPARISON = re.compile(r"\s*(<=|>=|<|>)\s*(\S.*?)\s*")
_STEP = 0.01


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        key: what it is about.
        text: as it is asked.
        example: an answer that would do.
    """

    key: str
    text: Text
    example: str


QUESTIONS = (
    Question("id", Text(zh="这条风险的编号？", en="What is the id of this risk?"), "flood.underpass"),
    Question("title", Text(zh="它叫什么？", en="What do people call it?"), "下立交积水"),
    Question("owner", Text(zh="哪个部门牵头？", en="Which department leads?"), "水务部门"),
    Question("expert", Text(zh="您的代号？", en="Who says so (your code)?"), "veteran-01"),
    Question("source", Text(zh="看哪个体征？", en="Which sign do you look at?"), "water_main.flow"),
    Question("when", Text(zh="什么时候算异常？", en="When is it out of order?"), "< 95 l/s"),
    Question(
        "seen",
        Text(zh="十次这样的事件，有几次能看到这个异常？", en="Of ten such events, in how many is this seen?"),
        "9 of 10 / 10次里9次",
    ),
    Question(
        "otherwise",
        Text(zh="没有事件的一千次里，有几次也会看到？", en="Of a thousand quiet cases, in how many is it seen?"),
        "1 of 1000 / 1000次里1次",
    ),
    Question(
        "leak",
        Text(zh="平时多少次里会发生一次？", en="How often does the event come at all, within the horizon?"),
        "1 of 500 / 500次里1次",
    ),
    Question("horizon", Text(zh="预警看多远？", en="How far ahead does it count?"), "6h"),
    Question(
        "bar",
        Text(zh="出动一次的代价，占放过一次损失的几分之几？", en="What does acting cost, against missing one?"),
        "1 of 10 / 10里1",
    ),
    Question("do", Text(zh="用哪个处置流程？", en="Which procedure?"), "SOP-WM-01"),
)


@dataclass(slots=True)
class Interview:
    """A dialogue: ask :attr:`question`, hand the words to :meth:`answer`, until there is no question left.

    Attributes:
        signs: the signs that may be named.
        procedures: the procedures that may be named.
        language: what complaints are written in.
    """

    signs: SignCatalogue
    procedures: Mapping[str, Procedure]
    language: Language = Language.ZH
    _answers: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> Question | None:
        """The next question, or None when all is said."""
        return next((question for question in QUESTIONS if question.key not in self._answers), None)

    def answer(self, words: str) -> str | None:
        """Take an answer; return what is wrong with it, or None if it was understood."""
        question = self.question
        if question is None:
            return Text(zh="已经问完了。", en="All has been asked.").in_language(self.language)
        try:
            self._answers[question.key] = self._readers().get(question.key, _plain)(words.strip())
        except ValueError as exc:
            told = Text(zh=f"没听懂：{exc}。例如：{question.example}", en=f"{exc}. For example: {question.example}")
            return told.in_language(self.language)
        return None

    def rule(self) -> str:
        """Return the rule file.

        Raises:
            ValueError: if questions are still open.
        """
        if self.question is not None:
            message = f"the question {self.question.key!r} is still open"
            raise ValueError(message)
        said = self._answers
        operator, quantity, threshold = said["when"]
        inside = threshold + (1 if ">" in operator else -1) * max(abs(threshold), 1.0) * _STEP
        outside = 2 * threshold - inside
        edge = "expect" if "=" in operator else "expect_not"
        sign = {"source": said["source"], operator: quantity, "seen": said["seen"], "otherwise": said["otherwise"]}
        words = {
            "id": said["id"],
            "version": 1,
            "title": {"zh": said["title"], "en": said["title"]},
            "owner": said["owner"],
            "expert": said["expert"],
            "status": "trial",
            "signs": {"sign": sign},
            "risk": "risk",
            "leak": said["leak"],
            "horizon": said["horizon"],
            "levels": {"yellow": {"cost": said["bar"]["yes"], "loss": said["bar"]["of"]}},
            "do": said["do"],
            "tests": [
                {"given": {"sign": inside}, "expect": "fact.sign"},
                {"given": {"sign": outside}, "expect_not": "fact.sign"},
                {"given": {"sign": threshold}, edge: "fact.sign", "kind": "boundary"},
            ],
        }
        buffer = io.StringIO()
        writer = YAML()
        writer.allow_unicode = True
        writer.dump(words, buffer)
        return buffer.getvalue()

    def _readers(self) -> dict[str, Callable[[str], Any]]:
        return {
            "id": _identifier,
            "source": self._sign,
            "when": self._comparison,
            "seen": _inner_frequency,
            "otherwise": _inner_frequency,
            "leak": _inner_frequency,
            "bar": _inner_frequency,
            "horizon": _duration,
            "do": self._procedure,
        }

    def _sign(self, words: str) -> str:
        if words not in self.signs:
            message = f"{words!r} is no sign; known: {', '.join(sign.id for sign in list(self.signs)[:5])}"
            raise ValueError(message)
        return words

    def _procedure(self, words: str) -> str:
        if words not in self.procedures:
            message = f"{words!r} is no procedure; known: {', '.join(list(self.procedures)[:5])}"
            raise ValueError(message)
        return words

    def _comparison(self, words: str) -> tuple[str, str, float]:
        match = _COMPARISON.fullmatch(words)
        if match is None:
            message = f"{words!r} compares with nothing"
            raise ValueError(message)
        return match[1], match[2], parse_quantity(match[2], self.signs[self._answers["source"]].unit)


def _plain(words: str) -> str:
    if not words or len(words) > 100 or not words.isprintable():  # noqa: PLR2004 - a short name
        message = "a short text is needed"
        raise ValueError(message)
    return words


def _identifier(words: str) -> str:
    if re.fullmatch(IDENTIFIER, words) is None:
        message = f"{words!r} is no id; use letters, digits, dots and underscores"
        raise ValueError(message)
    return words


def _duration(words: str) -> str:
    if parse_duration(words) == 0:
        message = "the horizon must be longer than nothing"
        raise ValueError(message)
    return words


def _inner_frequency(words: str) -> dict[str, int]:
    english, chinese = _FREQUENCY_EN.fullmatch(words), _FREQUENCY_ZH.fullmatch(words)
    if english is None and chinese is None:
        message = f"{words!r} is no frequency"
        raise ValueError(message)
    yes, of = (english[1], english[2]) if english else (chinese[2], chinese[1]) if chinese else ("", "")
    if not 0 < int(yes) < int(of):
        message = f"{words!r} must lie between none and all"
        raise ValueError(message)
    return {"yes": int(yes), "of": int(of)}
