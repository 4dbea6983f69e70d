"""Cells of decision tables: intervals of numbers, read and written as DMN writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

_COMPARISON = re.compile(r"(<=|>=|<|>|==?)?\s*([-+.0-9].*?)")
_RANGE = re.compile(r"([\[\](])\s*([-+.0-9].*?)\s*\.\.\s*([-+.0-9].*?)\s*([\[\])])")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Interval:
    """A set of numbers between two ends."""

    low: float = -math.inf
    high: float = math.inf
    low_in: bool = False
    high_in: bool = False

    def __contains__(self, value: float) -> bool:
        """Return whether a value lies inside."""
        above = value > self.low or (self.low_in and value == self.low)
        return above and (value < self.high or (self.high_in and value == self.high))

    def covers(self, other: Interval) -> bool:
        """Return whether every value of the other lies inside."""
        low = self.low < other.low or (self.low == other.low and (self.low_in or not other.low_in))
        return low and (self.high > other.high or (self.high == other.high and (self.high_in or not other.high_in)))

    def meet(self, other: Interval) -> Interval | None:
        """Return what lies in both; None where nothing does."""
        low = max((self.low, not self.low_in), (other.low, not other.low_in))
        high = min((self.high, self.high_in), (other.high, other.high_in))
        if low[0] > high[0] or (low[0] == high[0] and (low[1] or not high[1])):
            return None
        return Interval(low[0], high[0], low_in=not low[1], high_in=high[1])

    def point(self) -> float:
        """Return one number inside: the lowest if there is one."""
        if self.low_in or math.isinf(self.high):
            return self.low if self.low_in else (self.low + 1 if math.isfinite(self.low) else 0.0)
        return self.high - 1 if math.isinf(self.low) else (self.low + self.high) / 2

    def __str__(self) -> str:
        """Return it as a cell is written."""
        if self == ANYTHING:
            return "-"
        if self.low == self.high:
            return f"= {self.low:.15g}"
        if math.isinf(self.low):
            return f"{'<=' if self.high_in else '<'} {self.high:.15g}"
        if math.isinf(self.high):
            return f"{'>=' if self.low_in else '>'} {self.low:.15g}"
        return f"{'[' if self.low_in else '('}{self.low:.15g}..{self.high:.15g}{']' if self.high_in else ')'}"


ANYTHING = Interval()


def parse_cell(text: str | float, read: Callable[[str], float] | None = None) -> Interval:
    """Read a cell: ``-``, ``>= 80``, ``= 3``, ``[35..50)``.

    Args:
        text: the cell as written.
        read: makes a number of what stands behind an operator or between brackets, such as one with a unit; default
            plain numbers.

    Raises:
        ValueError: if it is none of these, or empty.
    """
    number = read or _number
    written = str(text).strip()
    if written in {"-", ""}:
        return ANYTHING
    match = _RANGE.fullmatch(written)
    if match is not None:
        low, high = number(match[2]), number(match[3])
        interval = Interval(low, high, match[1] == "[", match[4] == "]")
        if low > high or (low == high and not (interval.low_in and interval.high_in)):
            message = f"the interval {written!r} is empty"
            raise ValueError(message)
        return interval
    match = _COMPARISON.fullmatch(written)
    if match is None:
        message = f"{written!r} is no cell; write '-', '>= 80', '= 3' or '[35..50)'"
        raise ValueError(message)
    value = number(match[2])
    return {
        "<": Interval(high=value),
        "<=": Interval(high=value, high_in=True),
        ">": Interval(low=value),
        ">=": Interval(low=value, low_in=True),
    }.get(match[1] or "=", Interval(value, value, low_in=True, high_in=True))


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        message = f"{text!r} is no cell; write '-', '>= 80', '= 3' or '[35..50)'"
        raise ValueError(message)
    value = float(text)
    if not math.isfinite(value):
        message = f"{text!r} is not finite"
        raise ValueError(message)
    return value
