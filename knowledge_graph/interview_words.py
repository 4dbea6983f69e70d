"""What the interview asks, in Chinese and English, and how answers are read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts import IDENTIFIER, Level, Text

from .quantities import parse_duration, parse_quantity

NOTHING = {"", "-", "no", "none", "没有", "无", "否"}
"""Answers that mean there is no such thing, where a question may be left open."""
Reader = Callable[[str], Any]
_YES = {"y", "yes", "是", "会", "对", "有"}
_MAXIMUM_LENGTH, _LONGEST_EXPERT = 200, 128
_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
_FREQUENCY_EN = re.compile(r"(\d{1,9})\s*(?:of|/|in|out of)\s*(\d{1,9})")
_FREQUENCY_ZH = re.compile(r"(\d{1,9})\s*[次天夜场个回]?\s*[里中内有，,]+\s*(\d{1,9})\s*[次天夜场个回]?")
_COMPARISON = re.compile(r"(<=|>=|<|>|≤|≥|低于|高于|不低于|不高于)\s*(\S.*)")
_OPERATORS = {"≤": "<=", "≥": ">=", "低于": "<", "高于": ">", "不低于": ">=", "不高于": "<="}


class Complaint(ValueError):  # noqa: N818 - what a person is told, in a person's word
    """What is wrong with an answer, in both languages."""

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(zh=zh, en=en)


def short_text(said: str) -> str:
    """Read a short text on one line."""
    if not said or len(said) > _MAXIMUM_LENGTH or not said.isprintable():
        raise Complaint(zh="请写一行短句", en="a short text on one line is needed")
    return said


def identifier(said: str) -> str:
    """Read an id."""
    if re.fullmatch(IDENTIFIER, said) is None:
        zh = f"“{said}”不能作编号，只能用字母、数字、点和下划线"
        raise Complaint(zh=zh, en=f"{said!r} is no id; use letters, digits, dots and underscores")
    return said


def duration(said: str) -> str:
    """Read a duration longer than nothing."""
    if _milliseconds(said) == 0:
        raise Complaint(zh="时间要大于零", en="it must be longer than nothing")
    return said


def hold(said: str) -> tuple[int, str]:
    """Read how long something must last: milliseconds and as said; ``0`` means at once."""
    return (0, "") if said == "0" else (_milliseconds(said), said)


def _milliseconds(said: str) -> int:
    try:
        return parse_duration(said)
    except ValueError as exc:
        zh = f"“{said}”不是时长，请写数字加 s、min、h 或 d，最长一年"
        raise Complaint(zh=zh, en=str(exc)) from exc


def expert(said: str) -> str:
    """Read who says so."""
    if len(said) > _LONGEST_EXPERT:
        raise Complaint(
            zh=f"代号最长 {_LONGEST_EXPERT} 个字", en=f"a code of at most {_LONGEST_EXPERT} letters is needed"
        )
    return short_text(said)


def yes_or_no(said: str) -> bool:
    """Read a yes or a no."""
    if said.lower() in _YES:
        return True
    if said.lower() in NOTHING - {""}:
        return False
    raise Complaint(zh=f"“{said}”不是“是”或“否”", en=f"{said!r} is neither yes nor no")


def frequency(said: str) -> dict[str, int]:
    """Read a frequency between none and all, in English or Chinese: ``6 of 10``, ``10次里6次``."""
    text = said.translate(_DIGITS)
    english, chinese = _FREQUENCY_EN.fullmatch(text), _FREQUENCY_ZH.fullmatch(text)
    if english is None and chinese is None:
        raise Complaint(zh=f"“{said}”不是“几次里几次”", en=f"{said!r} is no frequency")
    yes, of = (english[1], english[2]) if english else (chinese[2], chinese[1]) if chinese else ("", "")
    if not 0 < int(yes) < int(of):
        raise Complaint(zh=f"“{said}”要在一次也没有和次次都有之间", en=f"{said!r} must lie between none and all")
    return {"yes": int(yes), "of": int(of)}


def comparison(said: str) -> tuple[str, str]:
    """Read a comparison: its operator and its quantity as said."""
    match = _COMPARISON.fullmatch(said)
    if match is None:
        raise Complaint(zh=f"“{said}”没有说和多少比，请写 < 或 > 加一个数", en=f"{said!r} compares with nothing")
    return _OPERATORS.get(match[1], match[1]), match[2]


def quantity(said: str, unit: str) -> float:
    """Read a quantity in a sign's unit."""
    try:
        return parse_quantity(said, unit)
    except ValueError as exc:
        raise Complaint(zh=f"“{said}”不是以 {unit} 计的数，也换算不成", en=str(exc)) from exc


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        key: what it is about.
        text: as it is asked.
        example: an answer that would do.
        read: makes a value of the answer, or raises ValueError.
        optional: whether an empty answer means that there is none.
    """

    key: str
    text: Text
    example: str
    read: Reader = short_text
    optional: bool = False

    def reading(self, read: Reader) -> Question:
        """Return the question with another way to read its answer."""
        return dataclasses.replace(self, read=read)


RULE_ID = Question("id", Text(zh="这条风险的编号？", en="What is the id of this risk?"), "flood.underpass")
TITLE_ZH = Question("title", Text(zh="它叫什么？", en="What do people call it?"), "下立交积水")
TITLE_EN = Question(
    "title_en",
    Text(zh="英文名？（回车：同上）", en="And in English? (Enter: the same)"),
    "Underpass flooded",
    optional=True,
)
OWNER = Question("owner", Text(zh="哪个部门牵头？", en="Which department leads?"), "水务部门")
EXPERT = Question("expert", Text(zh="您的代号？", en="Who says so (your code)?"), "veteran-01", expert)
SOURCE = Question("source", Text(zh="先看哪个体征？", en="Which sign do you look at first?"), "water_main.flow")
NEXT_SOURCE = Question(
    "next_source",
    Text(zh="还看哪个体征？（回车：没有了）", en="Which other sign? (Enter: no more)"),
    "water_main.pressure",
    optional=True,
)
WHEN = Question("when", Text(zh="什么时候算异常？", en="When is it out of order?"), "< 95 l/s", comparison)
HOLD = Question(
    "hold",
    Text(zh="要持续多久才算？（0：立即）", en="For how long must it last? (0: at once)"),
    "3min",
    hold,
)
SEEN = Question(
    "seen",
    Text(zh="十次这样的事件，有几次能看到这个异常？", en="Of ten such events, in how many is this seen?"),
    "9 of 10 / 10次里9次",
    frequency,
)
OTHERWISE = Question(
    "otherwise",
    Text(zh="没有事件的一千次里，有几次也会看到？", en="Of a thousand quiet cases, in how many is it seen?"),
    "1 of 1000 / 1000次里1次",
    frequency,
)
LAW = Question(
    "law",
    Text(
        zh="有没有规定要求看到它就必须处置？请写出处。（回车：没有）",
        en="Does an order demand action whenever it is seen? Cite it. (Enter: none)",
    ),
    "文件名称，第几条 / order, clause",
    optional=True,
)
HORIZON = Question("horizon", Text(zh="预警看多远？", en="How far ahead does it count?"), "6h", duration)
LEAK = Question(
    "leak",
    Text(
        zh="说不出原因的，多少次里会发生一次？", en="Without any known cause, how often does it come within that time?"
    ),
    "1 of 500 / 500次里1次",
    frequency,
)
CAUSE = Question(
    "cause",
    Text(zh="什么会引起它？（回车：说不上）", en="What brings it about? (Enter: nothing to name)"),
    "暴雨",
    optional=True,
)
NEXT_CAUSE = Question(
    "next_cause",
    Text(zh="还有什么会引起它？（回车：没有了）", en="What else? (Enter: no more)"),
    "闸门关闭",
    optional=True,
)
BRINGS = Question(
    "brings",
    Text(zh="十次有这个原因，有几次真的发生？", en="Of ten times with this cause, in how many does it come?"),
    "6 of 10 / 10次里6次",
    frequency,
)
CAUSE_SIGN = Question(
    "cause_sign",
    Text(
        zh="哪个体征能看出这个原因？（回车：没有，靠人报）", en="Which sign shows it? (Enter: none, people report it)"
    ),
    "water_main.tide",
    optional=True,
)
CAUSE_WHEN = Question(
    "cause_when", Text(zh="到多少算有这个原因？", en="From what value on is it there?"), ">= 4.55 m", comparison
)
CAUSE_AHEAD = Question(
    "cause_ahead",
    Text(
        zh="用预报（预测它越过这个值的概率）吗？不用就看实测。（是/否）",
        en="Go by the forecast that it will pass this value? Otherwise by what is measured. (yes/no)",
    ),
    "yes / 是",
    yes_or_no,
)
CAUSE_PRIOR = Question(
    "cause_prior",
    Text(zh="这个原因平时多常见？", en="How often is this cause there at all?"),
    "1 of 300 / 300次里1次",
    frequency,
)
INHIBITOR = Question(
    "inhibitor",
    Text(zh="什么能拦住它？（回车：没有）", en="What holds it off? (Enter: nothing)"),
    "泵站正常",
    optional=True,
)
NEXT_INHIBITOR = Question(
    "next_inhibitor",
    Text(zh="还有什么能拦住它？（回车：没有了）", en="What else holds it off? (Enter: no more)"),
    "移动泵车到位",
    optional=True,
)
INHIBITOR_SIGN = Question(
    "inhibitor_sign",
    Text(zh="哪个体征能看出它在？（回车：没有，靠人报）", en="Which sign shows that it is there? (Enter: none)"),
    "pump.current",
    optional=True,
)
INHIBITOR_WHEN = Question(
    "inhibitor_when", Text(zh="到多少算它在？", en="From what value on is it there?"), ">= 20 A", comparison
)
STOPS = Question(
    "stops",
    Text(zh="十次本来会发生的，能拦住几次？", en="Of ten that would have come, how many does it stop?"),
    "5 of 10 / 10次里5次",
    frequency,
)
INHIBITOR_PRIOR = Question(
    "inhibitor_prior",
    Text(zh="平时它多半在吗？一百次里几次？", en="How often is it there at all?"),
    "95 of 100 / 100次里95次",
    frequency,
)
BARS = {
    level: Question(
        f"bar_{level}",
        Text(
            zh=f"{name}：出动一次的代价，占漏掉一次损失的几分之几？{enter_zh}",
            en=f"{str(level).capitalize()}: what does acting once cost, against missing one?{enter_en}",
        ),
        example,
        frequency,
        optional=level is not Level.YELLOW,
    )
    for level, name, example, enter_zh, enter_en in (
        (Level.YELLOW, "黄色", "1 of 10 / 10里1", "", ""),
        (Level.ORANGE, "橙色", "3 of 10 / 10里3", "（回车：不设）", " (Enter: no such level)"),
        (Level.RED, "红色", "6 of 10 / 10里6", "（回车：不设）", " (Enter: no such level)"),
    )
}
PROCEDURE = Question("do", Text(zh="用哪个处置流程？", en="Which procedure?"), "SOP-WM-01")
