"""The quality of a reading as it is kept: one small number."""

from __future__ import annotations

from contracts import Quality

QUALITIES = (Quality.GOOD, Quality.SUSPECT, Quality.BAD)
"""By number: the order never changes, and a new quality goes to the end."""

CODES = {quality: code for code, quality in enumerate(QUALITIES)}
"""The number of each quality."""
