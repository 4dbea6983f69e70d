"""Quantities as people write them: ``95 l/s``, ``50mm/h``, ``3min``, with units checked and converted."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_QUANTITY = re.compile(r"\s*([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?)\s*(\S.*?)?\s*")
_MS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
MAXIMUM_DURATION_MS = 366 * 86_400_000

# Families of units that convert into each other: symbol → factor to the family's first unit.
_FAMILIES: tuple[dict[str, Fraction], ...] = (
    {"m": Fraction(1), "cm": Fraction(1, 100), "mm": Fraction(1, 1000), "km": Fraction(1000)},
    {
        "l/s": Fraction(1),
        "l/min": Fraction(1, 60),
        "l/h": Fraction(1, 3600),
        "m3/s": Fraction(1000),
        "m3/h": Fraction(1000, 3600),
        "m3/d": Fraction(1000, 86_400),
    },
    {"mm/h": Fraction(1), "mm/min": Fraction(60), "cm/h": Fraction(10), "m/h": Fraction(1000)},
    {"m/s": Fraction(1), "km/h": Fraction(1000, 3600)},
    {"kPa": Fraction(1), "Pa": Fraction(1, 1000), "MPa": Fraction(1000), "bar": Fraction(100)},
    {"l": Fraction(1), "m3": Fraction(1000)},
    {"1": Fraction(1), "%": Fraction(1, 100)},
    {"s": Fraction(1), "min": Fraction(60), "h": Fraction(3600), "d": Fraction(86_400)},
    {"CNY": Fraction(1), "kCNY": Fraction(1000)},
)
_SPELLINGS = {"m³/h": "m3/h", "m³/s": "m3/s", "m³/d": "m3/d", "m³": "m3", "°C": "C", "℃": "C", "dB(A)": "dBA"}


def parse_quantity(text: str | float, unit: str) -> float:
    """Read a quantity and convert it into a sign's unit.

    Args:
        text: a number in that unit, or a number with a unit.
        unit: the unit to convert into.

    Raises:
        ValueError: if it is no quantity, or of a unit that does not convert.
    """
    if isinstance(text, int | float):
        return _finite(float(text), text)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        message = f"{text!r} is no quantity; write a number and a unit, such as '25 {unit}'"
        raise ValueError(message)
    value, given = float(match[1]), match[2]
    if given is None or _symbol(given) == _symbol(unit):
        return _finite(value, text)
    return _finite(float(Fraction(match[1]) * _factor(given, unit)), text)


def parse_duration(text: str | float) -> int:
    """Read a duration such as ``3min``, ``6h`` or ``30 d`` into milliseconds.

    Raises:
        ValueError: if it is none, negative, or longer than a year.
    """
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in _MS:
        message = f"{text!r} is no duration; write a number and one of {', '.join(_MS)}, such as '3min'"
        raise ValueError(message)
    duration = float(match[1]) * _MS[match[2]]
    if not 0 <= duration <= MAXIMUM_DURATION_MS:
        message = f"the duration {text!r} is outside 0 to 366 d"
        raise ValueError(message)
    return round(duration)


def format_duration(duration_ms: int) -> str:
    """Return the shortest exact way to write a duration."""
    for symbol in ("d", "h", "min", "s"):
        if duration_ms and duration_ms % _MS[symbol] == 0 and (symbol != "d" or duration_ms > _MS["d"]):
            return f"{duration_ms // _MS[symbol]}{symbol}"
    return f"{duration_ms}ms" if duration_ms else "0s"


def _factor(given: str, unit: str) -> Fraction:
    source, target = _symbol(given), _symbol(unit)
    for family in _FAMILIES:
        if source in family and target in family:
            return family[source] / family[target]
    message = f"the unit {given!r} does not convert into {unit!r}"
    raise ValueError(message)


def _symbol(unit: str) -> str:
    return _SPELLINGS.get(unit.strip(), unit.strip())


def _finite(value: float, text: str | float) -> float:
    if not math.isfinite(value):
        message = f"{text!r} is not finite"
        raise ValueError(message)
    return value
