"""What night, rain and blur asked for by a recipe bring on night and rain, and what they cost on clear pictures."""

from __future__ import annotations

from .part import Figures, Options
from .potholes import train_with_conditions

KEYS = ("night_map50", "rain_map50", "clear_loss_share")
CONDITIONS = {"night": 0.25, "rain": 0.25, "blur": 0.1}


def measure(options: Options) -> Figures:
    """Train with conditions, and compare with the fit of ``potholes`` where that ran before."""
    figures = train_with_conditions(options, CONDITIONS).figures
    plain, clear = options.before.get("plain_test_map50"), figures.get("test.plain.map50")
    loss = 1 - clear / plain if isinstance(plain, float) and plain > 0 and clear is not None else None
    return {
        "night_map50": figures.get("test.night.map50"),
        "rain_map50": figures.get("test.rain.map50"),
        "clear_loss_share": loss,
        "conditions_test_map50": clear,
    }
