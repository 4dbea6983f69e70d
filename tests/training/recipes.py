"""Recipes and series that tests train on: small, made here, hourly."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import parse_utc, to_ms
from training import Series

START_MS = to_ms(parse_utc("2024-01-01T00:00:00Z"))
HOUR_MS = 3_600_000

TABLE: dict[str, Any] = {
    "name": "test.flow",
    "data": {"source": "csv", "path": "flow.csv", "interval_s": 3600, "unit": "l/s", "sign": "test.flow"},
    "windows": {
        "train": {"start": "2024-01-01T00:00:00Z", "end": "2024-01-15T00:00:00Z"},
        "validation": {"start": "2024-01-15T00:00:00Z", "end": "2024-01-20T00:00:00Z"},
        "gate": {"start": "2024-01-20T00:00:00Z", "end": "2024-01-25T00:00:00Z"},
        "report": {"start": "2024-01-25T00:00:00Z", "end": "2024-01-30T00:00:00Z"},
    },
    "disturbance": {"threshold": 6.0},
    "forecast": {"context": 48, "horizon": 6},
    "model": {"family": "ridge", "options": {"season": 24, "prior_seasons": [0, 1]}},
    "gates": {"mae_ratio": 0.95, "coverage": [0.7, 1.0]},
}


def table(**sections: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe's table with some sections updated."""
    made = copy.deepcopy(TABLE)
    for name, section in sections.items():
        made[name] = {**made.get(name, {}), **section} if isinstance(section, dict) else section
    return made


def daily_values(hours: int = 30 * 24, seed: int = 0) -> NDArray[np.float32]:
    """A noisy daily cycle around 100."""
    time = np.arange(hours)
    noise = np.random.default_rng(seed).normal(0, 0.5, hours)
    return (100 + 5 * np.sin(2 * np.pi * time / 24) + noise).astype(np.float32)


def series(values: NDArray[np.float32], sign: str = "test.flow") -> Series:
    return Series(sign, START_MS, 3600, values)
